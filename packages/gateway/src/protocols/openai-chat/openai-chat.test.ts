import { expect, test } from 'vitest'
import { openaiChat } from './wire-format.ts'

const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`
const piece = (index: number, text: string) =>
  event({ model: 'm-1', choices: [{ index, delta: { content: text }, finish_reason: null }] })
const finish = (index: number, reason = 'stop') =>
  event({ model: 'm-1', choices: [{ index, delta: {}, finish_reason: reason }], usage: null })

function read(events: string[], choices = 1) {
  const reader = openaiChat.readStream(choices)
  for (const one of events) reader.read(Buffer.from(one))
  return reader
}

test('a stream is complete at [DONE]', () => {
  expect(read([piece(0, 'a')]).complete).toBe(false)
  expect(read([piece(0, 'a'), 'data: [DONE]\n\n']).complete).toBe(true)
})

test('a stream is complete when each choice that began has finished', () => {
  expect(read([piece(0, 'a'), finish(0)]).complete).toBe(true)
  expect(read([piece(0, 'a'), piece(1, 'b'), finish(0)], 2).complete).toBe(false)
  expect(read([piece(0, 'a'), piece(1, 'b'), finish(1), finish(0)], 2).complete).toBe(true)
})

test('a finish that comes twice, and pieces after it, change nothing', () => {
  const reader = read([piece(0, 'a'), finish(0), piece(0, ''), finish(0)], 2)
  expect(reader.complete).toBe(true)
  expect(reader.facts.finish).toBe('stop')
})

test('a text that speaks of finish reasons is not taken for one', () => {
  const tricky = piece(0, '"finish_reason":"stop" [DONE]')
  expect(read([piece(0, 'a'), tricky]).complete).toBe(false)
})

test('the last usage wins, wherever it stands', () => {
  const usage = (prompt: number, completion: number | null) =>
    event({
      model: 'm',
      choices: [],
      usage: { prompt_tokens: prompt, completion_tokens: completion },
    })
  expect(read([usage(5, null), piece(0, 'a'), usage(5, 7)]).facts.usage).toMatchObject({
    input: 5,
    output: 7,
  })
  const groq = event({ model: 'm', choices: [], x_groq: { usage: { prompt_tokens: 3 } } })
  expect(read([groq]).facts.usage).toMatchObject({ input: 3, output: 0 })
})

test("Azure's first chunk has no choices, no id and no model", () => {
  const azure = event({ choices: [], id: '', model: '', prompt_filter_results: [] })
  expect(read([azure, piece(0, 'a'), finish(0)])).toMatchObject({
    complete: true,
    facts: { model: 'm-1', finish: 'stop' },
  })
})

test('an error of the upstream in a 200 is seen', () => {
  expect(read([piece(0, 'a'), event({ error: { message: 'x' } })]).failed).toBe(true)
  expect(read(['data: {broken\n\n']).parsed).toBe(false)
})

test('usage is split into disjoint classes', () => {
  const usage = (value: unknown) => openaiChat.readAnswer({ usage: value }).usage
  expect(
    usage({
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 40 },
      completion_tokens_details: { reasoning_tokens: 20 },
    }),
  ).toMatchObject({ input: 60, cacheRead: 40, output: 30, reasoning: 20 })
  // xAI leaves reasoning out of the completion; only the total tells.
  expect(
    usage({
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 35,
      completion_tokens_details: { reasoning_tokens: 20 },
    }),
  ).toMatchObject({ input: 10, output: 5, reasoning: 20 })
  expect(usage({ prompt_tokens: 10, prompt_cache_hit_tokens: 4 })).toMatchObject({ cacheRead: 4 })
  expect(usage(undefined)).toBeNull()
  expect(usage({ prompt_tokens: 'many' })).toBeNull()
})

test('an answer of any shape is read without failing', () => {
  for (const answer of [{}, { choices: null }, { choices: [null] }, { choices: [{}], model: 1 }]) {
    expect(openaiChat.readAnswer(answer)).toEqual({ model: null, finish: null, usage: null })
  }
})
