/**
 * Framing of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)
 * on bytes, for a stream that is passed on as it comes: events may be cut anywhere, also inside a
 * code point or between CR and LF, and lines may end with LF, CRLF or CR.
 */

const lineFeed = 10
const carriageReturn = 13
const openBrace = 123
const nothing = Buffer.alloc(0)

export interface ServerSentEvent {
  /** The `event:` field, or `message`. */
  readonly type: string
  /** The `data:` lines, joined by line feeds. */
  readonly data: string
}

/** Cuts a byte stream into runs of whole events. */
export class EventFramer {
  readonly #limit: number
  /** An event that has begun and not ended yet, as it came: joined only when it has ended. */
  #parts: Buffer[] = []
  #length = 0
  #overflown = false

  /** @param limit the longest unfinished event that is kept, in bytes; beyond it framing gives up. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** The bytes of the events that this chunk completes, with what came before of the first of them. */
  feed(chunk: Buffer): Buffer {
    if (this.#overflown || chunk.length === 0) return nothing
    const end = endOfLastEvent(chunk, this.#parts.at(-1)?.at(-1))
    if (end === chunk.length && this.#parts.length === 0) return chunk

    const ended = end === 0 ? nothing : Buffer.concat([...this.#parts, chunk.subarray(0, end)])
    if (end > 0) this.#forget()
    if (end < chunk.length) this.#keep(chunk.subarray(end))
    return ended
  }

  /** What is left when the stream has ended: an event without its blank line, or nothing. */
  rest(): Buffer {
    return Buffer.concat(this.#parts)
  }

  /** Whether the stream stands between two events. */
  get atBoundary(): boolean {
    return !this.#overflown && this.#parts.every((part) => part.every(isLineEnd))
  }

  /** True once an event was longer than the limit: nothing is framed after that. */
  get overflown(): boolean {
    return this.#overflown
  }

  #keep(part: Buffer): void {
    this.#parts.push(part)
    this.#length += part.length
    if (this.#length <= this.#limit) return
    this.#forget()
    this.#overflown = true
  }

  #forget(): void {
    this.#parts = []
    this.#length = 0
  }
}

/** Index after the last blank line, 0 if there is none. `previous` is the byte before these. */
function endOfLastEvent(bytes: Buffer, previous: number | undefined): number {
  for (let index = bytes.length - 1; index >= 0; index--) {
    const byte = bytes[index]
    if (byte !== lineFeed && byte !== carriageReturn) continue
    const before = index > 0 ? bytes[index - 1] : previous
    // Two line ends in a row; CR and LF are one.
    if (before !== lineFeed && (before !== carriageReturn || byte === lineFeed)) continue
    return byte === carriageReturn && bytes[index + 1] === lineFeed ? index + 2 : index + 1
  }
  return 0
}

function isLineEnd(byte: number): boolean {
  return byte === lineFeed || byte === carriageReturn
}

/** Reads whole events. One without data is none; comments, ids and unknown fields are passed over. */
export function parseEvents(text: string): ServerSentEvent[] {
  const events: ServerSentEvent[] = []
  let type = ''
  let data: string[] = []

  for (const line of `${text}\n\n`.split(/\r\n|\n|\r/)) {
    if (line === '') {
      if (data.length > 0) events.push({ type: type || 'message', data: data.join('\n') })
      type = ''
      data = []
    } else if (line.startsWith('data:')) data.push(valueOf(line, 5))
    else if (line === 'data') data.push('')
    else if (line.startsWith('event:')) type = valueOf(line, 6)
  }
  return events
}

function valueOf(line: string, from: number): string {
  return line.charCodeAt(from) === 32 ? line.slice(from + 1) : line.slice(from)
}

/**
 * Whether bytes begin a stream of events: `true` or `false` once that is certain, `undefined` while
 * all of them are blank or could still become the name of a field.
 */
export function looksLikeEvents(bytes: Buffer): boolean | undefined {
  // The usual answer, told at the price of a look.
  if (bytes[0] === openBrace) return false
  const start = bytes
    .toString('latin1', 0, 1024)
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart()
  if (start === '') return bytes.length < 1024 ? undefined : false
  const name = /^[a-z]*/.exec(start)?.[0] ?? ''
  if (start.length > name.length) {
    return start.charAt(name.length) === ':' && (name === '' || fieldNames.includes(name))
  }
  return fieldNames.some((field) => field.startsWith(name)) ? undefined : false
}

const fieldNames = ['data', 'event', 'id', 'retry']
