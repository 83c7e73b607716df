import { GatewayError } from '../../errors.ts'
import type { Refusal, WireFormat } from '../../protocol.ts'
import { readAnswer, readStream } from './read-answer.ts'

/** Anthropic's messages: https://docs.anthropic.com/en/api/messages */
export const anthropicMessages: WireFormat = {
  name: 'anthropic-messages',

  checkBody(body) {
    const { messages } = body
    if (messages !== undefined && !Array.isArray(messages)) {
      throw new GatewayError('invalid_request', '"messages" must be an array.')
    }
  },

  choices: () => 1,
  refusal: (refusal) => JSON.stringify(errorBody(refusal)),
  streamError: (refusal) => `event: error\ndata: ${JSON.stringify(errorBody(refusal))}\n\n`,
  readAnswer,
  readStream,
}

function errorBody({ code, status, message, decisionId }: Refusal) {
  return {
    type: 'error',
    error: { type: errorType(status), message, code, decision_id: decisionId },
  }
}

function errorType(status: number): string {
  return errorTypes[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
}

/** https://docs.anthropic.com/en/api/errors */
const errorTypes: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}
