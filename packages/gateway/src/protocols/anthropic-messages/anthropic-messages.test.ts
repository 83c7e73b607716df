import { expect, test } from 'vitest'
import { anthropicMessages } from './wire-format.ts'

const event = (data: { type: string; [name: string]: unknown }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`

const start = event({
  type: 'message_start',
  message: {
    model: 'claude',
    usage: { input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 1 },
  },
})
const text = event({
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text: 'say "message_stop"' },
})
const delta = event({
  type: 'message_delta',
  delta: { stop_reason: 'end_turn' },
  usage: { output_tokens: 42, input_tokens: null },
})
const stop = event({ type: 'message_stop' })

function read(events: string[]) {
  const reader = anthropicMessages.readStream(1)
  for (const one of events) reader.read(Buffer.from(one))
  return reader
}

test('a stream is complete at message_stop, not at a text that names it', () => {
  expect(read([start, text, delta]).complete).toBe(false)
  expect(read([start, text, delta, stop]).complete).toBe(true)
})

test('usage is cumulative: the last value of each class wins', () => {
  expect(read([start, text, delta, stop]).facts).toEqual({
    model: 'claude',
    finish: 'end_turn',
    usage: { input: 10, cacheRead: 5, cacheWrite: 0, output: 42, reasoning: 0, source: 'provider' },
  })
})

test("an error event of the upstream's is seen", () => {
  const error = event({ type: 'error', error: { type: 'overloaded_error' } })
  expect(read([start, error]).failed).toBe(true)
})

test('a whole answer is read', () => {
  expect(
    anthropicMessages.readAnswer({
      model: 'claude',
      stop_reason: 'tool_use',
      usage: { input_tokens: 1, output_tokens: 2, cache_creation_input_tokens: 3 },
    }),
  ).toMatchObject({ finish: 'tool_use', usage: { input: 1, output: 2, cacheWrite: 3 } })
})

test('refusals have the type that fits their status', () => {
  const body = anthropicMessages.refusal({
    code: 'access_denied',
    status: 403,
    message: 'm',
    decisionId: 'd',
  })
  expect(JSON.parse(body)).toEqual({
    type: 'error',
    error: { type: 'permission_error', message: 'm', code: 'access_denied', decision_id: 'd' },
  })
})
