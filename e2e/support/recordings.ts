import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RecordedExchange } from '@sluice/simulator'

export interface Recording extends RecordedExchange {
  readonly id: string
  readonly endpoint: 'chat.completions' | 'messages'
  readonly request: { readonly body: unknown }
}

interface Index {
  readonly file: string
  readonly endpoint: string
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const fewFolder = here('../fixtures/traffic')
const manyFolder = here('../../../shared/data/traffic/dev')

/** A few that are always here. */
export function fewRecordings(): readonly Recording[] {
  return readdirSync(fewFolder)
    .map((name) => read(join(fewFolder, name)))
    .filter((recording) => recording !== null)
}

/** All that are on this machine; null: none are. */
export function manyRecordings(): readonly Recording[] | null {
  const index = join(manyFolder, 'index.jsonl')
  if (!existsSync(index)) return null
  return readFileSync(index, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Index)
    .filter(({ endpoint }) => endpoint === 'chat.completions' || endpoint === 'messages')
    .map(({ file }) => read(join(manyFolder, file)))
    .filter((recording) => recording !== null)
}

interface RawRecording extends Omit<Recording, 'endpoint'> {
  readonly method: string
  readonly request: { readonly url_path: string; readonly body: unknown }
}

function read(file: string): Recording | null {
  const recording = JSON.parse(readFileSync(file, 'utf8')) as RawRecording
  const [path = ''] = recording.request.url_path.split('?')
  if (recording.method !== 'POST') return null
  if (path.endsWith('/chat/completions')) return { ...recording, endpoint: 'chat.completions' }
  if (path.endsWith('/messages')) return { ...recording, endpoint: 'messages' }
  return null
}

/** The bytes that the upstream says, after content-decoding. */
export function bytesOf({ response }: Recording): Buffer {
  return Buffer.from(response.body, response.body_encoding === 'base64' ? 'base64' : 'utf8')
}

export interface Fields {
  readonly [name: string]: unknown
}

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

/** The payloads of a stream of events, in order; null when these bytes are none. */
function payloadsOf(bytes: Buffer): readonly string[] | null {
  const text = bytes.toString()
  if (!/^\s*(?::|(?:data|event|id|retry):)/.test(text)) return null
  return text
    .split(/\r\n\r\n|\n\n|\r\r/)
    .map((event) =>
      event
        .split(/\r\n|\n|\r/)
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).replace(/^ /, ''))
        .join('\n'),
    )
    .filter((payload) => payload !== '')
}

export interface Said {
  /** Whether a stream came to its own end. */
  readonly complete: boolean
  /** Whether the upstream itself said, in the stream, that it failed. */
  readonly failed: boolean
  readonly model: string | null
  readonly finish: string | null
  readonly usage: Counts | null
}

export interface Counts {
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly output: number
  readonly reasoning: number
}

/** What a recorded answer says about itself, worked out without the gateway's code. */
export function whatIsSaid(recording: Recording): Said {
  const bytes = bytesOf(recording)
  const payloads = payloadsOf(bytes)
  const whole = payloads === null
  const events = (payloads ?? [bytes.toString()]).map(parse)
  const said = recording.endpoint === 'messages' ? readMessages(events) : readChat(events)
  return whole ? { ...said, complete: true, failed: false } : said
}

function parse(text: string): Fields {
  if (text === '[DONE]') return { done: true }
  try {
    return fieldsOf(JSON.parse(text))
  } catch {
    return {}
  }
}

function readChat(events: readonly Fields[]): Said {
  const choices = events
    .flatMap((event) => (Array.isArray(event['choices']) ? (event['choices'] as unknown[]) : []))
    .map(fieldsOf)
  const finishes = choices.filter((choice) => firstString([choice['finish_reason']]) !== null)
  const indexes = (some: readonly Fields[]) => new Set(some.map((choice) => choice['index'] ?? 0))
  const allFinished = choices.length > 0 && indexes(finishes).size === indexes(choices).size
  const first = finishes.filter((choice) => (choice['index'] ?? 0) === 0).at(-1)
  return {
    complete: events.some((event) => event['done'] === true) || allFinished,
    failed: events.some((event) => event['error'] !== undefined && event['error'] !== null),
    model: firstString(events.map((event) => event['model'])),
    finish: firstString([first?.['finish_reason']]),
    usage: events.map(chatUsage).findLast((usage) => usage !== null) ?? null,
  }
}

function chatUsage(event: Fields): Counts | null {
  const usage = fieldsOf(event['usage'] ?? fieldsOf(event['x_groq'])['usage'])
  const prompt = count(usage['prompt_tokens'])
  const completion = count(usage['completion_tokens'])
  if (prompt + completion === 0) return null
  const cacheRead =
    count(fieldsOf(usage['prompt_tokens_details'])['cached_tokens']) ||
    count(usage['prompt_cache_hit_tokens']) ||
    count(usage['cached_tokens'])
  const reasoning = count(fieldsOf(usage['completion_tokens_details'])['reasoning_tokens'])
  // Some count the reasoning beside the completion and not in it: the total tells, or a part that
  // is larger than the whole. So it is with what came from a cache.
  const apart =
    reasoning > completion || count(usage['total_tokens']) === prompt + completion + reasoning
  return {
    input: cacheRead > prompt ? prompt : prompt - cacheRead,
    cacheRead,
    cacheWrite: 0,
    output: apart ? completion : completion - reasoning,
    reasoning,
  }
}

function readMessages(events: readonly Fields[]): Said {
  const start = fieldsOf(events.find((event) => event['type'] === 'message_start')?.['message'])
  const deltas = events.filter((event) => event['type'] === 'message_delta')
  const whole = events[0] ?? {}
  const usages = [whole['usage'], start['usage'], ...deltas.map((event) => event['usage'])]
  const stops = deltas.map((event) => fieldsOf(event['delta'])['stop_reason'])
  return {
    complete: events.some((event) => event['type'] === 'message_stop'),
    failed: events.some((event) => event['type'] === 'error'),
    model: firstString([whole['model'], start['model']]),
    finish: firstString([whole['stop_reason'], ...stops.reverse()]),
    usage: messagesUsage(usages.filter((usage) => usage !== undefined && usage !== null)),
  }
}

function messagesUsage(usages: readonly unknown[]): Counts | null {
  if (usages.length === 0) return null
  const last = (name: string) =>
    usages
      .map((usage) => fieldsOf(usage)[name])
      .findLast((value) => value !== undefined && value !== null)
  const output = count(last('output_tokens'))
  const reasoning = count(fieldsOf(last('output_tokens_details'))['thinking_tokens'])
  return {
    input: count(last('input_tokens')),
    cacheRead: count(last('cache_read_input_tokens')),
    cacheWrite: count(last('cache_creation_input_tokens')),
    output: output - reasoning,
    reasoning,
  }
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function firstString(values: readonly unknown[]): string | null {
  return values.filter((value) => typeof value === 'string').find((value) => value !== '') ?? null
}
