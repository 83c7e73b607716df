/**
 * The table of errors that callers see: a stable code, its HTTP status, and whether trying the
 * same call again can help. `docs/reference/errors.md` names the same codes; a test compares them.
 */
export const errors = {
  credential_missing: { status: 401, retryable: false },
  credential_invalid: { status: 401, retryable: false },
  credential_expired: { status: 401, retryable: false },
  access_denied: { status: 403, retryable: false },
  model_not_found: { status: 404, retryable: false },
  version_not_found: { status: 404, retryable: false },
  not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  request_timeout: { status: 408, retryable: true },
  request_too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  headers_too_large: { status: 431, retryable: false },
  invalid_request: { status: 400, retryable: false },
  not_supported: { status: 400, retryable: false },
  client_closed: { status: 499, retryable: false },
  internal_error: { status: 500, retryable: false },
  upstream_failed: { status: 502, retryable: true },
  upstream_rejected: { status: 502, retryable: false },
  overloaded: { status: 503, retryable: true },
  upstream_unavailable: { status: 503, retryable: true },
  upstream_timeout: { status: 504, retryable: true },
} as const satisfies Record<string, { readonly status: number; readonly retryable: boolean }>

export type ErrorCode = keyof typeof errors

/**
 * A refusal or failure that a caller is told about. Thrown where the fact is known, caught once.
 * The message says what happened, to what, and what to do; it never holds a secret or a text of
 * the caller's.
 */
export class GatewayError extends Error {
  readonly code: ErrorCode
  /** Why, in words for the decision record only: it may name rules and targets. */
  readonly why: string | undefined

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; why?: string } = {}) {
    super(message, { cause: options.cause })
    this.name = 'GatewayError'
    this.code = code
    this.why = options.why
  }

  get status(): number {
    return errors[this.code].status
  }

  get retryable(): boolean {
    return errors[this.code].retryable
  }
}
