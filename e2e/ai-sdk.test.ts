import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { APICallError, generateText, jsonSchema, streamText, tool, type LanguageModel } from 'ai'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { collect } from './support/collect.ts'
import { countsIn, sum } from './support/counts.ts'
import { eventually } from './support/eventually.ts'
import { startWorld, type World } from './support/world.ts'

let world: World
let callsBefore = 0

beforeAll(async () => {
  world = await startWorld()
})
beforeEach(() => {
  callsBefore = world.simulator.requests.length
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
})

interface Family {
  readonly name: string
  readonly provider: string
  /** A model by the name that the gateway knows it by. */
  readonly model: (name: string, key?: string) => LanguageModel
}

const families: readonly Family[] = [
  {
    name: '@ai-sdk/openai',
    provider: 'sim-openai',
    model: (name, apiKey = world.key) =>
      createOpenAI({ baseURL: `${world.url}/v1`, apiKey }).chat(name),
  },
  {
    name: '@ai-sdk/anthropic',
    provider: 'sim-anthropic',
    model: (name, apiKey = world.key) =>
      createAnthropic({ baseURL: `${world.url}/v1`, apiKey })(name),
  },
]

const upstreamCalls = () => world.simulator.requests.slice(callsBefore)

const weather = tool({
  description: 'Tells the weather.',
  inputSchema: jsonSchema<{ city: string }>({
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  }),
  execute: ({ city }) => `It rains in ${city}.`,
})

for (const { name, provider, model } of families) {
  test(`${name}: a whole answer`, async () => {
    const { text, finishReason, usage } = await generateText({
      model: model(`${provider}/echo`),
      prompt: 'Grüß dich 👋',
      maxOutputTokens: 500,
    })

    expect({ text, finishReason }).toEqual({ text: 'Grüß dich 👋', finishReason: 'stop' })
    expect(usage.outputTokens).toBeGreaterThan(0)
  })

  test(`${name}: a streamed answer`, async () => {
    const result = streamText({
      model: model(`${provider}/lorem;sim:length=30,cut=random`),
      prompt: 'Hello',
      maxOutputTokens: 500,
    })

    const pieces = await collect(result.textStream)

    expect(pieces.length).toBeGreaterThan(5)
    expect(pieces.join('').split(' ')).toHaveLength(30)
    expect(await result.finishReason).toBe('stop')
  })

  test(`${name}: a tool call, whole and streamed`, async () => {
    const asked = {
      model: model(`${provider}/tools`),
      prompt: 'What is the weather?',
      maxOutputTokens: 500,
      tools: { weather },
    }

    const whole = (await generateText(asked)).toolCalls
    const streamed = await streamText(asked).toolCalls

    const anyCall = { toolName: 'weather', input: { city: expect.any(String) } }
    expect(whole).toMatchObject([anyCall])
    expect(streamed).toMatchObject([anyCall])
  })

  test(`${name}: an answer that reasons`, async () => {
    const asked = {
      model: model(`${provider}/reasoning;sim:length=5`),
      prompt: 'Think.',
      maxOutputTokens: 500,
    }

    const whole = await generateText(asked)
    const streamed = await streamText(asked).text

    expect(whole.text.split(' ')).toHaveLength(5)
    expect(streamed.split(' ')).toHaveLength(5)
    expect(whole.usage.outputTokens).toBe(21)
  })

  const refusals = [
    { what: 'a wrong key', model: 'chat', key: 'sk-sluice-nobody-has-this', status: 401 },
    { what: 'an unknown model', model: 'nothing', key: undefined, status: 404 },
    { what: 'a model that is not granted', model: 'restricted', key: undefined, status: 403 },
    { what: 'a 429 upstream', model: `${provider}/error-429`, key: undefined, status: 429 },
    { what: 'a 500 upstream', model: `${provider}/error-500`, key: undefined, status: 502 },
  ]
  for (const refusal of refusals) {
    test(`${name}: ${refusal.what} is an APICallError with the decision id`, async () => {
      const error = await failureOf(model(refusal.model, refusal.key))

      expect(error.statusCode).toBe(refusal.status)
      expect(error.responseHeaders?.['x-sluice-decision']).toMatch(/^[0-9a-f-]{36}$/)
      expect(error.isRetryable).toBe(refusal.status === 429 || refusal.status >= 500)
    })
  }

  test(`${name}: an abort in mid-stream reaches the upstream, and the record says who left`, async () => {
    const before = await cancelled()
    const stop = new AbortController()
    const result = streamText({
      model: model(`${provider}/lorem;sim:length=500,tps=20`),
      prompt: 'Hello',
      maxOutputTokens: 500,
      abortSignal: stop.signal,
      onError: () => undefined,
    })

    for await (const piece of result.textStream) {
      if (piece !== '') stop.abort()
    }

    await eventually('the end upstream', () => upstreamCalls()[0]?.aborted)
    await eventually(
      'the count of the cancelled exchange',
      async () => (await cancelled()) > before,
    )
  })
}

async function cancelled(): Promise<number> {
  return sum(countsIn(await world.metrics()), 'sluice_exchanges_total', ['code="client_closed"'])
}

async function failureOf(model: LanguageModel): Promise<APICallError> {
  try {
    await generateText({ model, prompt: 'Hello', maxOutputTokens: 500, maxRetries: 0 })
  } catch (error) {
    if (APICallError.isInstance(error)) return error
    throw error
  }
  throw new Error('It did not fail.')
}
