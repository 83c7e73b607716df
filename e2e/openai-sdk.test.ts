import OpenAI, {
  APIError,
  AuthenticationError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { collect } from './support/collect.ts'
import { eventually } from './support/eventually.ts'
import { startWorld, type World } from './support/world.ts'

let world: World
let openai: OpenAI
let callsBefore = 0

beforeAll(async () => {
  world = await startWorld()
  openai = clientOf(world, { maxRetries: 0 })
})
beforeEach(() => {
  callsBefore = world.simulator.requests.length
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
})

function clientOf({ url, key }: World, options: { apiKey?: string; maxRetries?: number }) {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: key, timeout: 10_000, ...options })
}

const upstreamCalls = () => world.simulator.requests.slice(callsBefore)

const hello = [{ role: 'user' as const, content: 'Grüß dich, gateway 👋' }]

const weather = {
  type: 'function' as const,
  function: {
    name: 'weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city', 'days'],
    },
  },
}

test('a whole answer comes as the SDK expects it, with the decision id', async () => {
  const { data, response } = await openai.chat.completions
    .create({ model: 'chat', messages: hello })
    .withResponse()

  expect(data.choices[0]?.message.content).toBe('Grüß dich, gateway 👋')
  expect(data.choices[0]?.finish_reason).toBe('stop')
  expect(data.usage?.total_tokens).toBeGreaterThan(0)
  expect(response.headers.get('x-sluice-decision')).toMatch(/^[0-9a-f-]{36}$/)
})

test('a streamed answer comes piece by piece to its end', async () => {
  const stream = await openai.chat.completions.create({
    model: 'chat',
    messages: hello,
    stream: true,
    stream_options: { include_usage: true },
  })

  const chunks = await collect(stream)

  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')
  expect(text).toBe('Grüß dich, gateway 👋')
  expect(chunks.filter((chunk) => chunk.choices[0]?.finish_reason === 'stop')).toHaveLength(1)
  expect(chunks.at(-1)?.usage?.total_tokens).toBeGreaterThan(0)
})

test('the SDK puts a streamed answer together again', async () => {
  const completion = await openai.chat.completions
    .stream({ model: 'sim-openai/lorem;sim:length=30,cut=random', messages: hello })
    .finalChatCompletion()

  expect(completion.choices[0]?.message.content?.split(' ')).toHaveLength(30)
})

test('a tool call comes whole', async () => {
  const completion = await openai.chat.completions.create({
    model: 'sim-openai/tools;sim:calls=2',
    messages: hello,
    tools: [weather],
  })

  const calls = completion.choices[0]?.message.tool_calls ?? []
  expect(completion.choices[0]?.finish_reason).toBe('tool_calls')
  expect(calls).toHaveLength(2)
  expect(calls.map(argumentsOf)).toEqual([anyForecast, anyForecast])
})

test('a tool call comes streamed, and its result goes back', async () => {
  const model = 'sim-openai/tools'
  const stream = openai.chat.completions.stream({ model, messages: hello, tools: [weather] })
  const { message } = (await stream.finalChatCompletion()).choices[0] ?? {}
  const call = message?.tool_calls?.[0]

  const after = await openai.chat.completions.create({
    model,
    tools: [weather],
    messages: [
      ...hello,
      { role: 'assistant', content: null, tool_calls: message?.tool_calls ?? [] },
      { role: 'tool', tool_call_id: call?.id ?? '', content: 'It rains.' },
    ],
  })

  expect(argumentsOf(call)).toEqual(anyForecast)
  expect(after.choices[0]?.message.content).toBe('It rains.')
})

const anyForecast = { city: expect.any(String), days: expect.any(Number) }

function argumentsOf(call: OpenAI.Chat.ChatCompletionMessageToolCall | undefined): unknown {
  return call?.type === 'function' ? JSON.parse(call.function.arguments) : undefined
}

test('reasoning comes, streamed and whole', async () => {
  const asked = { model: 'sim-openai/reasoning;sim:length=5', messages: hello }

  const whole = await openai.chat.completions.create(asked)
  const chunks = await collect(await openai.chat.completions.create({ ...asked, stream: true }))

  expect(whole.choices[0]?.message).toHaveProperty('reasoning_content')
  expect(whole.usage?.completion_tokens_details?.reasoning_tokens).toBe(16)
  expect(
    chunks.filter(({ choices }) => 'reasoning_content' in (choices[0]?.delta ?? {})),
  ).toHaveLength(16)
})

test('models.list and models.retrieve show what the key may use', async () => {
  const models = await collect(openai.models.list())
  const chat = await openai.models.retrieve('chat')

  expect(models.map(({ id }) => id)).toEqual(['chat', 'claude'])
  expect(chat.id).toBe('chat')
  await expect(openai.models.retrieve('restricted')).rejects.toThrow(NotFoundError)
})

const refusals = [
  {
    what: 'a wrong key',
    client: { apiKey: 'sk-sluice-nobody-has-this-key' },
    model: 'chat',
    expected: { class: AuthenticationError, status: 401, code: 'credential_invalid' },
  },
  {
    what: 'a model that does not exist',
    client: {},
    model: 'nothing',
    expected: { class: NotFoundError, status: 404, code: 'model_not_found' },
  },
  {
    what: 'a model that is not granted',
    client: {},
    model: 'restricted',
    expected: { class: PermissionDeniedError, status: 403, code: 'access_denied' },
  },
]

for (const { what, client, model, expected } of refusals) {
  test(`${what} is the SDK's own ${expected.class.name} with a decision id, and not repeated`, async () => {
    const error = await failureOf(clientOf(world, { maxRetries: 2, ...client }), model)

    expect(error).toBeInstanceOf(expected.class)
    expect(error).toMatchObject({ status: expected.status, code: expected.code })
    expect(error.error).toHaveProperty('decision_id', error.headers.get('x-sluice-decision'))
    expect(error.headers.get('x-should-retry')).toBe('false')
    expect(upstreamCalls()).toEqual([])
  })
}

async function failureOf(client: OpenAI, model: string, stream = false) {
  try {
    await client.chat.completions.create({ model, messages: hello, stream })
  } catch (error) {
    if (error instanceof APIError && error.headers !== undefined) {
      return error as APIError<number, Headers, object>
    }
    throw error
  }
  throw new Error('It did not fail.')
}

test('a 429 of the upstream passes with retry-after, its own words and the decision id', async () => {
  const error = await failureOf(openai, 'sim-openai/error-429')

  expect(error).toBeInstanceOf(RateLimitError)
  expect(error.code).toBe('rate_limit_exceeded')
  expect(error.headers.get('retry-after')).toBe('1')
  expect(error.headers.get('x-sluice-decision')).toMatch(/^[0-9a-f-]{36}$/)
})

test('a 500 of the upstream is a 502 that the SDK may repeat', async () => {
  const error = await failureOf(clientOf(world, { maxRetries: 1 }), 'sim-openai/error-500')

  expect(error).toBeInstanceOf(InternalServerError)
  expect(error).toMatchObject({ status: 502, code: 'upstream_failed' })
  expect(upstreamCalls()).toHaveLength(2)
})

test('a credential of ours that the upstream refuses is a 502 that the SDK does not repeat', async () => {
  const client = clientOf(world, { maxRetries: 2 })

  const error = await failureOf(client, 'sim-openai/error-401', true)

  expect(error).toMatchObject({ status: 502, code: 'upstream_rejected' })
  expect(JSON.stringify(error.error)).not.toContain('Incorrect API key')
  expect(upstreamCalls()).toHaveLength(1)
})

test('a stream that breaks off is an error, not an end', async () => {
  const stream = await openai.chat.completions.create({
    model: 'sim-openai/lorem;sim:cutoff=5',
    messages: hello,
    stream: true,
  })

  await expect(collect(stream)).rejects.toMatchObject({ code: 'upstream_failed' })
})

test('an abort in mid-stream reaches the upstream, and the record says who left', async () => {
  const { data, response } = await openai.chat.completions
    .create({
      model: 'sim-openai/lorem;sim:length=500,tps=20',
      messages: hello,
      stream: true,
    })
    .withResponse()

  for await (const chunk of data) if (chunk.choices[0]?.delta.content) break
  data.controller.abort()

  await eventually('the end upstream', () => upstreamCalls()[0]?.aborted)
  const record = await world.explain(response.headers.get('x-sluice-decision') ?? '')
  expect(record).toMatchObject({ outcome: 'cancelled', code: 'client_closed', verdict: 'allow' })
})
