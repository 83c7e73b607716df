import type { Failure } from '../../answer.ts'
import type { Scene } from '../format.ts'
import { pretty } from './pretty.ts'

const failures = new Map<number, { message: string; type: string; code: string | null }>([
  [
    401,
    {
      message:
        'Incorrect API key provided: sk-sim. You can find your API key at https://platform.openai.com/account/api-keys.',
      type: 'invalid_request_error',
      code: 'invalid_api_key',
    },
  ],
  [
    429,
    {
      message: 'Rate limit reached for requests. Please try again in 1s.',
      type: 'requests',
      code: 'rate_limit_exceeded',
    },
  ],
  [
    500,
    {
      message:
        'The server had an error while processing your request. Sorry about that! Please retry your request.',
      type: 'server_error',
      code: null,
    },
  ],
  [
    503,
    {
      message: 'The server is currently overloaded with other requests. Please try again later.',
      type: 'server_error',
      code: null,
    },
  ],
])

export function encodeFailure(failure: Failure, scene: Scene, indent = 2): string {
  const known = failures.get(failure.status)
  const error = {
    message: failure.message ?? known?.message ?? defaultMessage(failure.status, scene),
    type: known?.type ?? (failure.status < 500 ? 'invalid_request_error' : 'server_error'),
    param: failure.param ?? null,
    code: failure.code ?? known?.code ?? defaultCode(failure.status, scene),
  }
  return indent === 0 ? JSON.stringify({ error }) : pretty({ error })
}

function defaultMessage(status: number, { method, path, model }: Scene): string {
  if (status === 404 && model !== '') {
    return `The model \`${model}\` does not exist or you do not have access to it.`
  }
  if (status === 404) return `Invalid URL (${method} ${path})`
  if (status === 405) return `Not allowed to ${method} on ${path}.`
  return `The simulator was asked to answer with status ${status}.`
}

function defaultCode(status: number, { model }: Scene): string | null {
  if (status === 404) return model === '' ? null : 'model_not_found'
  return status === 405 ? 'method_not_supported' : null
}
