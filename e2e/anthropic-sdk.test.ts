import Anthropic, {
  APIError,
  AuthenticationError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from '@anthropic-ai/sdk'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { collect } from './support/collect.ts'
import { eventually } from './support/eventually.ts'
import { startWorld, type World } from './support/world.ts'

let world: World
let anthropic: Anthropic
let callsBefore = 0

beforeAll(async () => {
  world = await startWorld()
  anthropic = clientOf(world, { maxRetries: 0 })
})
beforeEach(() => {
  callsBefore = world.simulator.requests.length
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
})

function clientOf({ url, key }: World, options: { apiKey?: string; maxRetries?: number }) {
  // Without authToken the SDK would add one from the environment of whoever runs the tests.
  return new Anthropic({ baseURL: url, apiKey: key, timeout: 10_000, ...options })
}

const upstreamCalls = () => world.simulator.requests.slice(callsBefore)

const hello = {
  max_tokens: 500,
  messages: [{ role: 'user' as const, content: 'Grüß dich, gateway 👋' }],
}

const weather: Anthropic.Tool = {
  name: 'weather',
  input_schema: {
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'integer' } },
    required: ['city', 'days'],
  },
}

test('a whole answer comes as the SDK expects it, with the decision id', async () => {
  const { data, response } = await anthropic.messages
    .create({ model: 'claude', ...hello })
    .withResponse()

  expect(data.content).toMatchObject([{ type: 'text', text: 'Grüß dich, gateway 👋' }])
  expect(data.stop_reason).toBe('end_turn')
  expect(response.headers.get('x-sluice-decision')).toMatch(/^[0-9a-f-]{36}$/)
})

test('a streamed answer is put together again by the SDK', async () => {
  const stream = anthropic.messages.stream({
    model: 'sim-anthropic/lorem;sim:length=30,cut=random',
    ...hello,
  })

  const message = await stream.finalMessage()

  const text = message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  expect(text.split(' ')).toHaveLength(30)
  expect(message.stop_reason).toBe('end_turn')
  expect(message.usage.output_tokens).toBe(30)
})

test('a tool call comes whole', async () => {
  const message = await anthropic.messages.create({
    model: 'sim-anthropic/tools;sim:calls=2',
    ...hello,
    tools: [weather],
  })

  expect(message.stop_reason).toBe('tool_use')
  expect(message.content).toMatchObject([anyCall, anyCall])
})

const anyCall = {
  type: 'tool_use',
  name: 'weather',
  input: { city: expect.any(String), days: expect.any(Number) },
}

test('a tool call comes streamed, and its result goes back', async () => {
  const asked = { model: 'sim-anthropic/tools', ...hello, tools: [weather] }
  const { content } = await anthropic.messages.stream(asked).finalMessage()
  const call = content.find((block) => block.type === 'tool_use')

  const after = await anthropic.messages.create({
    ...asked,
    messages: [
      ...hello.messages,
      { role: 'assistant', content },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: call?.id ?? '', content: 'It rains.' }],
      },
    ],
  })

  expect(call).toMatchObject(anyCall)
  expect(after.content).toMatchObject([{ type: 'text', text: 'It rains.' }])
})

test('thinking comes, streamed and whole', async () => {
  const asked = {
    model: 'sim-anthropic/reasoning;sim:length=5',
    ...hello,
    thinking: { type: 'enabled' as const, budget_tokens: 1024 },
  }

  const whole = await anthropic.messages.create(asked)
  const streamed = await anthropic.messages.stream(asked).finalMessage()

  for (const { content } of [whole, streamed]) {
    expect(content.map(({ type }) => type)).toEqual(['thinking', 'text'])
    expect(content[0]).toMatchObject({
      thinking: expect.any(String),
      signature: expect.any(String),
    })
  }
})

test('models.list shows what the key may use', async () => {
  const models = await collect(anthropic.models.list())

  expect(models.map(({ id, type }) => ({ id, type }))).toEqual([
    { id: 'chat', type: 'model' },
    { id: 'claude', type: 'model' },
  ])
})

const refusals = [
  {
    what: 'a wrong key',
    client: { apiKey: 'sk-sluice-nobody-has-this-key' },
    model: 'claude',
    expected: {
      class: AuthenticationError,
      type: 'authentication_error',
      code: 'credential_invalid',
    },
  },
  {
    what: 'a model that does not exist',
    client: {},
    model: 'nothing',
    expected: { class: NotFoundError, type: 'not_found_error', code: 'model_not_found' },
  },
  {
    what: 'a model that is not granted',
    client: {},
    model: 'restricted',
    expected: {
      class: PermissionDeniedError,
      type: 'permission_error',
      code: 'access_denied',
    },
  },
]

for (const { what, client, model, expected } of refusals) {
  test(`${what} is the SDK's own ${expected.class.name} with a decision id, and not repeated`, async () => {
    const error = await failureOf(clientOf(world, { maxRetries: 2, ...client }), model)

    expect(error).toBeInstanceOf(expected.class)
    expect(error.error).toEqual({
      type: 'error',
      error: {
        type: expected.type,
        message: expect.any(String),
        code: expected.code,
        decision_id: error.headers.get('x-sluice-decision'),
      },
    })
    expect(upstreamCalls()).toEqual([])
  })
}

async function failureOf(client: Anthropic, model: string) {
  try {
    await client.messages.create({ model, ...hello })
  } catch (error) {
    if (error instanceof APIError && error.headers !== undefined) {
      return error as APIError<number, Headers, object>
    }
    throw error
  }
  throw new Error('It did not fail.')
}

test('a 429 of the upstream passes with retry-after, its own words and the decision id', async () => {
  const error = await failureOf(anthropic, 'sim-anthropic/error-429')

  expect(error).toBeInstanceOf(RateLimitError)
  expect(error.error).toMatchObject({ type: 'error', error: { type: 'rate_limit_error' } })
  expect(error.headers.get('retry-after')).toBe('1')
  expect(error.headers.get('x-sluice-decision')).toMatch(/^[0-9a-f-]{36}$/)
})

test('an overloaded upstream is a 503 overloaded_error that the SDK may repeat', async () => {
  const error = await failureOf(clientOf(world, { maxRetries: 1 }), 'sim-anthropic/error-529')

  expect(error.status).toBe(503)
  expect(error.error).toMatchObject({
    error: { type: 'overloaded_error', code: 'upstream_unavailable' },
  })
  expect(upstreamCalls()).toHaveLength(2)
})

test('a 500 of the upstream is a 502 api_error', async () => {
  const error = await failureOf(anthropic, 'sim-anthropic/error-500')

  expect(error).toBeInstanceOf(InternalServerError)
  expect(error.status).toBe(502)
  expect(error.error).toMatchObject({ error: { type: 'api_error', code: 'upstream_failed' } })
})

test('a credential of ours that the upstream refuses is a 502 that the SDK does not repeat', async () => {
  const error = await failureOf(clientOf(world, { maxRetries: 2 }), 'sim-anthropic/error-401')

  expect(error.status).toBe(502)
  expect(error.error).toMatchObject({ error: { code: 'upstream_rejected' } })
  expect(error.headers.get('x-should-retry')).toBe('false')
  expect(upstreamCalls()).toHaveLength(1)
})

test('an error event of the upstream in mid-stream passes as it is', async () => {
  const stream = anthropic.messages.stream({
    model: 'sim-anthropic/lorem;sim:mid-error=5',
    ...hello,
  })

  await expect(stream.finalMessage()).rejects.toThrow(/api_error|overloaded_error/)
})

test('an abort in mid-stream reaches the upstream, and the record says who left', async () => {
  const stream = anthropic.messages.stream({
    model: 'sim-anthropic/lorem;sim:length=500,tps=20',
    ...hello,
  })
  const { response } = await stream.withResponse()

  for await (const event of stream) if (event.type === 'content_block_delta') break
  stream.abort()

  await eventually('the end upstream', () => upstreamCalls()[0]?.aborted)
  const record = await world.explain(response.headers.get('x-sluice-decision') ?? '')
  expect(record).toMatchObject({ outcome: 'cancelled', code: 'client_closed', verdict: 'allow' })
})
