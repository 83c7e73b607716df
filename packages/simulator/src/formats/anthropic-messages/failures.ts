import type { Failure } from '../../answer.ts'
import type { Scene } from '../format.ts'

const errorTypes = new Map<number, { type: string; message: string }>([
  [401, { type: 'authentication_error', message: 'invalid x-api-key' }],
  [402, { type: 'billing_error', message: 'Your credit balance is too low.' }],
  [403, { type: 'permission_error', message: 'Request not allowed' }],
  [404, { type: 'not_found_error', message: 'Not Found' }],
  [405, { type: 'invalid_request_error', message: 'Method Not Allowed' }],
  [413, { type: 'request_too_large', message: 'Request exceeds the maximum size' }],
  [
    429,
    {
      type: 'rate_limit_error',
      message:
        "This request would exceed your organization's rate limit of 50 requests per minute.",
    },
  ],
  [500, { type: 'api_error', message: 'Internal server error' }],
  [504, { type: 'timeout_error', message: 'Request timed out' }],
  [529, { type: 'overloaded_error', message: 'Overloaded' }],
])

export function encodeFailure({ status, message }: Failure, { model, nonce }: Scene): string {
  const known = errorTypes.get(status)
  const usual = status === 404 && model !== '' ? `model: ${model}` : known?.message
  return JSON.stringify({
    type: 'error',
    error: {
      type: known?.type ?? (status < 500 ? 'invalid_request_error' : 'api_error'),
      message: message ?? usual ?? `The simulator was asked to answer with status ${status}.`,
    },
    request_id: requestId(nonce),
  })
}

export function requestId(nonce: string): string {
  return `req_011C${nonce.slice(0, 20)}`
}
