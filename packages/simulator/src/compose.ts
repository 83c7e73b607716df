import type { Answer, Block, Failure } from './answer.ts'
import type { Behaviour } from './behaviours.ts'
import { recut } from './cut.ts'
import type { Delivery, Write } from './delivery.ts'
import type { Format, Scene, StreamEvent } from './formats/format.ts'
import { gzipWrites } from './gzip.ts'
import type { Options } from './options.ts'
import { tokensOf } from './tokens.ts'

/** How an answer is to become bytes, and all that is to go wrong on the way. */
export interface Staging {
  readonly format: Format
  readonly scene: Scene
  readonly options: Options
  readonly fault?: Behaviour['fault']
  readonly seed: number
}

const lineEnds = { lf: '\n', crlf: '\r\n', cr: '\r' } as const

/** The answers as one JSON body. */
export async function composeWhole(
  answers: readonly Answer[],
  staging: Staging,
): Promise<Delivery> {
  const { format, scene, options, fault } = staging
  const json = format.encodeWhole(withMarks(answers, options), scene)
  const tokens = answers.reduce((sum, answer) => sum + answer.usage.output, 0)
  return composeJson(staging, {
    text: fault === 'malformed' ? json.slice(0, json.length / 2) : json,
    status: options.status ?? 200,
    at: moment(tokens, options),
  })
}

/** A refusal in the envelope of the provider. */
export async function composeFailure(failure: Failure, staging: Staging): Promise<Delivery> {
  const text = staging.format.encodeFailure(failure, staging.scene)
  const delivery = await composeJson(staging, { text, status: failure.status, at: 0 })
  if (failure.status !== 429) return delivery
  return { ...delivery, headers: { ...delivery.headers, 'retry-after': '1' } }
}

export async function composeJson(
  staging: Staging,
  { text, status, at }: { readonly text: string; readonly status: number; readonly at: number },
): Promise<Delivery> {
  const { options } = staging
  const padding = '         \n'.repeat(Math.ceil((options.padding ?? 0) / 10))
  const plain = Buffer.from(padding.slice(0, options.padding ?? 0) + text)
  const whole = [{ bytes: withInvalidByte(plain, options), at }]
  const body = joined(options.gzip ? await gzipWrites(whole, true) : whole)

  const end = endOf(staging)
  const sent = end === 'close' && !isCutOff(staging) ? body : body.subarray(0, body.length / 2)
  // A body that ends as if it were whole must not announce more than it has.
  const announced = end === 'close' ? sent : body
  return {
    ...opening(staging, { status, type: 'application/json' }, announced.length),
    writes: recut([{ bytes: sent, at }], options.cut ?? 'event', staging.seed),
    end,
  }
}

/** The answers as a stream of events. */
export async function composeStream(
  answers: readonly Answer[],
  staging: Staging,
): Promise<Delivery> {
  const { format, scene, options, seed } = staging
  const events = spoiled(format.encodeStream(withMarks(answers, options), scene), staging)
  const frames = cutOff(framesOf(events, options), staging)
  const writes = options.gzip ? await gzipWrites(frames, !isCutOff(staging)) : frames
  const type = 'text/event-stream; charset=utf-8'
  return {
    ...opening(staging, { status: options.status ?? 200, type }),
    writes: recut(writes, options.cut ?? 'event', seed),
    end: endOf(staging),
  }
}

function opening(
  { format, scene, options }: Staging,
  { status, type }: { readonly status: number; readonly type: string },
  length?: number,
): Pick<Delivery, 'status' | 'headers' | 'latency'> {
  const contentType = options['content-type'] ?? type
  const headers = {
    ...format.headers(scene, status),
    ...(contentType !== 'none' && { 'content-type': contentType }),
    ...(options.gzip && { 'content-encoding': 'gzip' }),
    ...(length !== undefined && { 'content-length': String(length) }),
  }
  return { status, headers, latency: options.latency }
}

/** What the options and the model's fault make of the events. */
function spoiled(events: readonly StreamEvent[], staging: Staging): readonly StreamEvent[] {
  const { format, scene, options, fault } = staging
  const midError = options['mid-error']
  if (midError !== undefined) return [...events.slice(0, midError), format.failureEvent(scene)]

  const kept = options['no-done'] ? events.filter((event) => !event.last) : events
  if (fault !== 'malformed') return kept
  const middle = Math.floor(kept.length / 2)
  return kept.map((event, index) =>
    index === middle ? { ...event, data: event.data.slice(0, event.data.length / 2) } : event,
  )
}

function framesOf(events: readonly StreamEvent[], options: Options): readonly Write[] {
  const line = lineEnds[options.eol ?? 'lf']
  let tokens = 0
  return events.map(({ event, data, tokens: more }) => {
    tokens += more
    const name = event === undefined ? '' : `event: ${event}${line}`
    const bytes = withInvalidByte(Buffer.from(`${name}data: ${data}${line}${line}`), options)
    return { bytes, at: moment(tokens, options) }
  })
}

/** When so many tokens are there. */
function moment(tokens: number, { tps }: Options): number {
  return tps ? (tokens / tps) * 1000 : 0
}

function isCutOff({ options, fault }: Staging): boolean {
  const { cutoff, half, end } = options
  return fault === 'cut-off' || cutoff !== undefined || half === true || end !== undefined
}

function endOf(staging: Staging): NonNullable<Delivery['end']> {
  return isCutOff(staging) ? (staging.options.end ?? 'reset') : 'close'
}

function cutOff(frames: readonly Write[], staging: Staging): readonly Write[] {
  if (!isCutOff(staging)) return frames
  const kept = staging.options.cutoff ?? Math.floor(frames.length / 2)
  const next = frames[kept]
  if (!staging.options.half || !next) return frames.slice(0, kept)
  const half = { at: next.at, bytes: next.bytes.subarray(0, next.bytes.length / 2) }
  return [...frames.slice(0, kept), half]
}

// Stands in the text where the byte shall be that is not UTF-8.
const mark = '\u{F5A1D}'
const markBytes = Buffer.from(mark)

function withMarks(answers: readonly Answer[], options: Options): readonly Answer[] {
  if (!options['invalid-utf8']) return answers
  return answers.map((answer) => ({ ...answer, blocks: answer.blocks.map(withMark) }))
}

function withMark(block: Block): Block {
  if (block.type !== 'text') return block
  const tokens = tokensOf(block.text)
  const middle = Math.ceil(tokens.length / 2)
  return { ...block, text: [...tokens.slice(0, middle), mark, ...tokens.slice(middle)].join('') }
}

function withInvalidByte(bytes: Buffer, options: Options): Buffer {
  const at = options['invalid-utf8'] ? bytes.indexOf(markBytes) : -1
  if (at === -1) return bytes
  const after = bytes.subarray(at + markBytes.length)
  return Buffer.concat([bytes.subarray(0, at), Buffer.from([0xff]), after])
}

function joined(writes: readonly Write[]): Buffer {
  const [only] = writes
  return writes.length === 1 && only ? only.bytes : Buffer.concat(writes.map(({ bytes }) => bytes))
}
