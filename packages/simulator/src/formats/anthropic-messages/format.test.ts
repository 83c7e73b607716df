import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSimulator, type Simulator } from '../../index.ts'
import { messages, payloads } from '../../test-support/ask.ts'

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(async () => {
  await simulator.close()
})

test('a whole answer has the shape of a message', async () => {
  const response = await messages(simulator, 'echo')

  expect(response.headers.get('request-id')).toMatch(/^req_/)
  expect(await response.json()).toMatchObject({
    id: expect.stringMatching(/^msg_01\w{22}$/),
    type: 'message',
    role: 'assistant',
    model: 'echo',
    content: [{ type: 'text', text: 'Grüß dich 👋' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 6, output_tokens: 3 },
  })
})

test('a stream keeps the order of its events and counts at its end', async () => {
  const response = await messages(simulator, 'echo', { stream: true })
  const events = await payloads(response)

  expect(events.map((event) => event['type'])).toEqual([
    'message_start',
    'content_block_start',
    'ping',
    'content_block_delta',
    'content_block_delta',
    'content_block_delta',
    'content_block_stop',
    'message_delta',
    'message_stop',
  ])
  expect(events[0]).toMatchObject({ message: { content: [], usage: { input_tokens: 6 } } })
  expect(events.at(-2)).toMatchObject({
    delta: { stop_reason: 'end_turn' },
    usage: { input_tokens: 6, output_tokens: 3 },
  })
})

test('every event of a stream is named as its type says', async () => {
  const stream = await (await messages(simulator, 'reasoning', { stream: true })).text()
  for (const block of stream.trimEnd().split('\n\n')) {
    const [name, payload] = block.split('\n')
    const { type } = JSON.parse(payload?.slice('data: '.length) ?? '') as { type: string }
    expect(name).toBe(`event: ${type}`)
  }
})

test('a thought is signed before its block ends', async () => {
  const events = await payloads(await messages(simulator, 'reasoning', { stream: true }))
  const stop = events.findIndex((event) => event['type'] === 'content_block_stop')

  expect(events[1]).toMatchObject({ content_block: { type: 'thinking', thinking: '' } })
  expect(events[stop - 1]).toMatchObject({ delta: { type: 'signature_delta' } })
  expect(events[stop + 1]).toMatchObject({ index: 1, content_block: { type: 'text' } })
})

test('a tool call begins without arguments and an empty fragment', async () => {
  const events = await payloads(await messages(simulator, 'tools', { stream: true, tools }))

  expect(events[1]).toMatchObject({ content_block: { type: 'tool_use', name: 'add', input: {} } })
  const fragments = events
    .filter((event) => event['type'] === 'content_block_delta')
    .map((event) => (event['delta'] as { partial_json: string }).partial_json)
  expect(fragments[0]).toBe('')
  expect(JSON.parse(fragments.join(''))).toEqual({ a: 0.5, b: 2 })
  expect(events.at(-2)).toMatchObject({ delta: { stop_reason: 'tool_use' } })
})

test('after a tool result the conversation ends with what the tool said', async () => {
  const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: 'It is 3.' }
  const response = await messages(simulator, 'tools', {
    tools,
    messages: [{ role: 'user', content: [result] }],
  })
  expect(await response.json()).toMatchObject({
    content: [{ type: 'text', text: 'It is 3.' }],
    stop_reason: 'end_turn',
  })
})

test('filler ends where max_tokens says, and says so', async () => {
  const response = await messages(simulator, 'lorem', { max_tokens: 5 })
  expect(await response.json()).toMatchObject({
    stop_reason: 'max_tokens',
    usage: { output_tokens: 5 },
  })
})

test('a request without model, messages or max_tokens is refused', async () => {
  const refusals = [
    await messages(simulator, ''),
    await messages(simulator, 'echo', { messages: undefined }),
    await messages(simulator, 'echo', { max_tokens: undefined }),
  ]
  expect(refusals.map((response) => response.status)).toEqual([400, 400, 400])
  expect(await refusals[2]?.json()).toEqual({
    type: 'error',
    error: { type: 'invalid_request_error', message: 'max_tokens: Field required' },
    request_id: expect.stringMatching(/^req_/),
  })
})

const tools = [
  {
    name: 'add',
    input_schema: {
      type: 'object',
      properties: { a: { type: 'number' }, b: { enum: [2, 3] } },
      required: ['a', 'b'],
    },
  },
]
