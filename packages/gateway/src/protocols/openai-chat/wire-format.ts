import { GatewayError } from '../../errors.ts'
import type { JsonObject, Refusal, WireFormat } from '../../protocol.ts'
import { readAnswer } from './read-answer.ts'
import { readStream } from './read-stream.ts'

/** OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat */
export const openaiChat: WireFormat = {
  name: 'openai-chat',

  checkBody(body) {
    const { messages } = body
    if (messages !== undefined && !Array.isArray(messages)) {
      throw new GatewayError('invalid_request', '"messages" must be an array.')
    }
  },

  choices: (body: JsonObject) => (typeof body['n'] === 'number' ? body['n'] : 1),
  refusal: (refusal) => JSON.stringify(errorBody(refusal)),
  streamError: (refusal) => `data: ${JSON.stringify(errorBody(refusal))}\n\n`,
  readAnswer,
  readStream,
}

function errorBody({ code, status, message, decisionId }: Refusal) {
  return { error: { message, type: errorType(status), param: null, code, decision_id: decisionId } }
}

function errorType(status: number): string {
  if (status >= 500) return 'server_error'
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 429) return 'rate_limit_error'
  return 'invalid_request_error'
}
