import type { Usage } from '../../exchange.ts'
import { asObject, asString, mentionsMember, parseJson } from '../../lib/json-values.ts'
import { parseEvents } from '../../lib/sse.ts'
import type { AnswerFacts, JsonObject, StreamReader } from '../../protocol.ts'
import { readUsage } from './read-answer.ts'

export function readStream(choices: number): StreamReader {
  return new ChatStreamReader(choices)
}

/**
 * A stream is complete when `[DONE]` came, or when every choice that began has a finish reason:
 * some servers never send `[DONE]`.
 */
class ChatStreamReader implements StreamReader {
  readonly #readAll: boolean
  readonly #open = new Set<unknown>()
  readonly #finished = new Set<unknown>()
  #model: string | null = null
  #finish: string | null = null
  #usage: Usage | null = null
  #done = false
  failed = false
  parsed = true

  constructor(choices: number) {
    // With one choice, an event without a finish reason cannot change what is complete.
    this.#readAll = choices > 1
  }

  get facts(): AnswerFacts {
    return { model: this.#model, finish: this.#finish, usage: this.#usage }
  }

  get complete(): boolean {
    return this.#done || (this.#finish !== null && this.#open.size === 0)
  }

  read(events: Buffer): void {
    const text = events.toString('latin1')
    if (!this.#readAll && this.#model !== null && !saysMore(text)) return

    for (const { data } of parseEvents(events.toString())) {
      if (data === '[DONE]') this.#done = true
      else this.#readChunk(asObject(parseJson(data)))
    }
  }

  #readChunk(chunk: JsonObject | null): void {
    if (chunk === null) {
      this.parsed = false
      return
    }
    if (chunk['error'] !== undefined && chunk['error'] !== null) this.failed = true
    this.#model ??= asString(chunk['model'])
    // Groq reports usage under a key of its own as well.
    this.#usage =
      readUsage(chunk['usage']) ?? readUsage(asObject(chunk['x_groq'])?.['usage']) ?? this.#usage

    const choices = chunk['choices']
    if (!Array.isArray(choices)) return
    for (const choice of choices) this.#readChoice(asObject(choice))
  }

  #readChoice(choice: JsonObject | null): void {
    if (choice === null) return
    const index = choice['index'] ?? 0
    const finish = asString(choice['finish_reason'])
    if (finish === null) {
      // What comes after a finish (usage, an empty delta) does not open a choice again.
      if (!this.#finished.has(index)) this.#open.add(index)
      return
    }
    this.#open.delete(index)
    this.#finished.add(index)
    if (index === 0 || this.#finish === null) this.#finish = finish
  }
}

/** Whether events can say anything beyond a further piece of the answer. */
function saysMore(text: string): boolean {
  return (
    text.includes('[DONE]') ||
    mentionsMember(text, '"finish_reason"') ||
    mentionsMember(text, '"usage"') ||
    text.includes('"error"')
  )
}
