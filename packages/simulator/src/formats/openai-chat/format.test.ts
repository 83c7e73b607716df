import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSimulator, type Simulator } from '../../index.ts'
import { chat, payloads } from '../../test-support/ask.ts'

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(async () => {
  await simulator.close()
})

test('a whole answer has the shape of a chat completion, usage included', async () => {
  const response = await chat(simulator, 'echo')

  expect(response.headers.get('content-type')).toBe('application/json')
  expect(response.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/)
  expect(await response.json()).toEqual({
    id: expect.stringMatching(/^chatcmpl-\w{29}$/),
    object: 'chat.completion',
    created: expect.any(Number),
    model: 'echo',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Grüß dich 👋', refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: expect.objectContaining({ prompt_tokens: 6, completion_tokens: 3, total_tokens: 9 }),
    service_tier: 'default',
    system_fingerprint: expect.stringMatching(/^fp_/),
  })
})

test('a stream gives the role, the text and the finish, and no usage that nobody asked for', async () => {
  const response = await chat(simulator, 'echo', { stream: true })

  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const chunks = await payloads(response)
  expect(new Set(chunks.map((chunk) => chunk['id'])).size).toBe(1)
  expect(chunks.map((chunk) => chunk['choices'])).toEqual([
    [choice({ role: 'assistant', content: '', refusal: null })],
    [choice({ content: 'Grüß' })],
    [choice({ content: ' dich' })],
    [choice({ content: ' 👋' })],
    [choice({}, 'stop')],
  ])
  expect(chunks.filter((chunk) => 'usage' in chunk)).toEqual([])
})

test('a stream that is asked for usage has null in every chunk and the sum in a last one without choices', async () => {
  const stream_options = { include_usage: true }
  const chunks = await payloads(await chat(simulator, 'echo', { stream: true, stream_options }))

  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 9 } })
  expect(chunks.slice(0, -1).map((chunk) => chunk['usage'])).toEqual(Array(5).fill(null))
})

test('a stream ends with [DONE]', async () => {
  const response = await chat(simulator, 'echo', { stream: true })
  expect((await response.text()).endsWith('\n\ndata: [DONE]\n\n')).toBe(true)
})

test('several choices come interleaved, each with a finish of its own', async () => {
  const chunks = await payloads(await chat(simulator, 'lorem', { stream: true, n: 2 }))
  const indexes = chunks.flatMap((chunk) => (chunk['choices'] as { index: number }[])[0]?.index)
  expect(indexes.slice(0, 4)).toEqual([0, 1, 0, 1])

  const whole = await chat(simulator, 'lorem;sim:length=5', { n: 2 })
  expect(await whole.json()).toMatchObject({
    choices: [{ index: 0 }, { index: 1 }],
    usage: { completion_tokens: 10 },
  })
})

test('a tool call is streamed in fragments that together fit the schema of the tool', async () => {
  const chunks = await payloads(await chat(simulator, 'tools', { stream: true, tools }))

  const deltas = chunks.flatMap((chunk) => chunk['choices'] as { delta: ToolDelta }[])
  const calls = deltas.flatMap(({ delta }) => delta.tool_calls ?? [])
  expect(calls[0]).toMatchObject({ index: 0, type: 'function', function: { name: 'weather' } })
  expect(calls[0]?.id).toMatch(/^call_\w{24}$/)
  expect(calls.length).toBeGreaterThan(3)
  const written = calls.map((call) => call.function.arguments).join('')
  expect(JSON.parse(written)).toEqual({ city: 'lorem ipsum', days: 1 })
  expect(chunks.at(-1)).toMatchObject({ choices: [{ finish_reason: 'tool_calls' }] })
})

test('a whole answer calls as many tools as it is told to', async () => {
  const response = await chat(simulator, 'tools;sim:calls=2', { tools })
  expect(await response.json()).toMatchObject({
    choices: [
      {
        message: {
          content: null,
          tool_calls: [{ type: 'function' }, { type: 'function' }],
        },
        finish_reason: 'tool_calls',
      },
    ],
  })
})

test('reasoning comes before the text, and is counted', async () => {
  const response = await chat(simulator, 'reasoning;sim:length=4')
  expect(await response.json()).toMatchObject({
    choices: [{ message: { reasoning_content: expect.any(String), content: expect.any(String) } }],
    usage: { completion_tokens: 20, completion_tokens_details: { reasoning_tokens: 16 } },
  })
})

test('a request without model, without messages or with no tools in its list is refused', async () => {
  const refusals = [
    await chat(simulator, ''),
    await chat(simulator, 'echo', { messages: undefined }),
    await chat(simulator, 'echo', { tools: [] }),
  ]
  expect(refusals.map((response) => response.status)).toEqual([400, 400, 400])
  expect(await refusals[1]?.json()).toEqual({
    error: {
      message: "Missing required parameter: 'messages'.",
      type: 'invalid_request_error',
      param: 'messages',
      code: 'missing_required_parameter',
    },
  })
})

interface ToolDelta {
  readonly tool_calls?: readonly {
    readonly id?: string
    readonly function: { readonly arguments: string }
  }[]
}

const tools = [
  {
    type: 'function',
    function: {
      name: 'weather',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string' }, days: { type: 'integer' } },
        required: ['city'],
      },
    },
  },
]

function choice(delta: object, finish_reason: string | null = null) {
  return { index: 0, delta, logprobs: null, finish_reason }
}
