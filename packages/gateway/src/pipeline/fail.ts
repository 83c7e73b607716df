import { GatewayError } from '../errors.ts'
import type { DecisionRecord, Stage } from '../exchange.ts'
import type { Refusal } from '../protocol.ts'
import type { HttpExchange } from './http-exchange.ts'

/** Tells the caller, in its own dialect, why it gets no answer. Nothing has been sent yet. */
export function fail(exchange: HttpExchange, thrown: unknown): void {
  const error = toGatewayError(thrown)
  recordFailure(exchange.record, error)
  if (exchange.record.outcome === 'denied') {
    exchange.judged('deny', deniedBy[exchange.stage], error.why ?? error.message)
  }
  if (error.code === 'client_closed') {
    exchange.record.status = error.status
    exchange.hangUp()
    return
  }
  if (exchange.answerHasBegun) {
    exchange.abort()
    return
  }
  const headers = ['content-type', 'application/json']
  if (!error.retryable) headers.push('x-should-retry', 'false')
  if (error.code === 'overloaded') headers.push('retry-after', '1')
  if (exchange.allowedMethod !== null) headers.push('allow', exchange.allowedMethod)
  const refusal = refusalOf.error(error, exchange.record)
  exchange.send(error.status, headers, exchange.wireFormat.refusal(refusal))
}

/** What a refusal at each step was made by, where no rule of the configuration made it. */
const deniedBy: Readonly<Record<Stage, string>> = {
  route: 'routes',
  authenticate: 'key',
  admit: 'server.limits',
  read: 'request-checks',
  authorize: 'roles',
}

/** Writes into the record how the exchange ended, if it did not end well. */
export function recordFailure(record: DecisionRecord, error: GatewayError): void {
  record.code = error.code
  if (error.code === 'client_closed') record.outcome = 'cancelled'
  else if (record.attempts.length > 0 || error.code === 'internal_error') record.outcome = 'failed'
  else {
    record.outcome = 'denied'
    record.verdict = 'deny'
  }
}

export const refusalOf = {
  error: (error: GatewayError, record: DecisionRecord): Refusal => ({
    code: error.code,
    status: error.status,
    message: error.message,
    decisionId: record.id,
  }),

  cutOff: (provider: string): GatewayError =>
    new GatewayError(
      'upstream_failed',
      "The model's provider ended its answer before it was complete.",
      { why: `provider "${provider}" ended the stream before its end` },
    ),
}

/** What nobody expected is a bug of ours: the caller learns no more than that. */
function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  return new GatewayError('internal_error', 'The gateway failed; the decision id names the case.', {
    cause: thrown,
    why: thrown instanceof Error ? thrown.name : 'unknown',
  })
}
