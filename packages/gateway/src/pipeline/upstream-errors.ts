import { GatewayError } from '../errors.ts'

/** What a failed call is to the caller, and in a word to the record. */
export interface UpstreamFailure {
  readonly error: GatewayError
  readonly word: string
}

/** The message of a network error may name hosts and addresses of the operator's: it goes nowhere. */
export function upstreamError(error: Error, provider: string): UpstreamFailure {
  if (error instanceof GatewayError) return { error, word: error.code }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return { error: failure('upstream_timeout', provider, code), word: 'timeout' }
  }
  return { error: failure('upstream_failed', provider, code), word: code }
}

function failure(
  code: 'upstream_failed' | 'upstream_timeout',
  provider: string,
  detail: string,
): GatewayError {
  const message =
    code === 'upstream_timeout'
      ? "The model's provider could not be reached in time; try again."
      : "The call of the model's provider failed; try again."
  return new GatewayError(code, message, { why: `provider "${provider}": ${detail}` })
}

/** What a status of the upstream's is to the caller; null: the answer passes as it is. */
export function statusError(status: number, provider: string): GatewayError | null {
  const why = `provider "${provider}" answered ${status}`
  switch (status) {
    case 401:
    case 402:
    case 403:
    case 407:
      return new GatewayError(
        'upstream_rejected',
        "The model's provider refused the gateway's own credential or account; tell its operator.",
        { why },
      )
    case 503:
    case 529:
      return new GatewayError(
        'upstream_unavailable',
        "The model's provider is overloaded or down; try again later.",
        { why },
      )
    case 504:
      return new GatewayError(
        'upstream_timeout',
        "The model's provider did not answer in time; try again.",
        { why },
      )
    default:
      if ((status >= 200 && status < 300) || (status >= 400 && status < 500)) return null
      return new GatewayError('upstream_failed', "The model's provider failed; try again.", { why })
  }
}
