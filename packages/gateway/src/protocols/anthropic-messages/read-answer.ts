import type { Usage } from '../../exchange.ts'
import { asCount, asObject, asString, parseJson } from '../../lib/json-values.ts'
import { parseEvents } from '../../lib/sse.ts'
import type { AnswerFacts, JsonObject, StreamReader } from '../../protocol.ts'

export function readAnswer(answer: JsonObject): AnswerFacts {
  return {
    model: asString(answer['model']),
    finish: asString(answer['stop_reason']),
    usage: normalise(asObject(answer['usage'])),
  }
}

export function readStream(): StreamReader {
  return new MessagesStreamReader()
}

/** A stream is complete at `message_stop`. Usage comes twice and is cumulative: the last value wins. */
class MessagesStreamReader implements StreamReader {
  #model: string | null = null
  #finish: string | null = null
  #usage: JsonObject | null = null
  complete = false
  failed = false
  parsed = true

  get facts(): AnswerFacts {
    return { model: this.#model, finish: this.#finish, usage: normalise(this.#usage) }
  }

  read(events: Buffer): void {
    const text = events.toString('latin1')
    if (!text.includes('"message_') && !text.includes('"error"')) return

    for (const { data } of parseEvents(events.toString())) {
      const event = asObject(parseJson(data))
      if (event === null) this.parsed = false
      else this.#readEvent(event)
    }
  }

  #readEvent(event: JsonObject): void {
    switch (event['type']) {
      case 'message_start': {
        const message = asObject(event['message'])
        this.#model = asString(message?.['model'])
        this.#usage = asObject(message?.['usage'])
        break
      }
      case 'message_delta':
        this.#finish = asString(asObject(event['delta'])?.['stop_reason']) ?? this.#finish
        this.#usage = overlay(this.#usage, asObject(event['usage']))
        break
      case 'message_stop':
        this.complete = true
        break
      case 'error':
        this.failed = true
        break
      default:
    }
  }
}

/** The members of `last` over those of `first`, where they say something. */
function overlay(first: JsonObject | null, last: JsonObject | null): JsonObject | null {
  if (first === null || last === null) return last ?? first
  const said = Object.entries(last).filter(([, value]) => value !== null)
  return { ...first, ...Object.fromEntries(said) }
}

/** Token counts in disjoint classes. Anthropic's `input_tokens` leave out what the cache took part in. */
function normalise(usage: JsonObject | null): Usage | null {
  if (usage === null) return null
  const output = asCount(usage['output_tokens'])
  const reasoning = asCount(asObject(usage['output_tokens_details'])?.['thinking_tokens'])
  return {
    input: asCount(usage['input_tokens']),
    cacheRead: asCount(usage['cache_read_input_tokens']),
    cacheWrite: asCount(usage['cache_creation_input_tokens']),
    output: Math.max(0, output - reasoning),
    reasoning,
    source: 'provider',
  }
}
