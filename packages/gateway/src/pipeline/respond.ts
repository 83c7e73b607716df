import { isAscii } from 'node:buffer'
import type { GatewayError } from '../errors.ts'
import { asObject, parseJson } from '../lib/json-values.ts'
import { EventFramer, looksLikeEvents } from '../lib/sse.ts'
import type { AnswerFacts, StreamReader, WireFormat } from '../protocol.ts'
import { callUpstream, type AnswerSink, type Flow } from './call-upstream.ts'
import { openDecoder, type Decoder } from './decode-content.ts'
import { recordFailure, refusalOf } from './fail.ts'
import type { HttpExchange } from './http-exchange.ts'
import type { ReadRequest } from './read-request.ts'
import { headersForClient } from './response-headers.ts'
import type { Target } from './compile-models.ts'
import { statusError } from './upstream-errors.ts'

/**
 * Calls the target and hands its answer on. Settles when the client has been handed all there is;
 * throws where nothing has been sent yet, so that the caller can still be told in a plain error.
 */
export function relay(
  exchange: HttpExchange,
  call: { target: Target; request: ReadRequest },
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (exchange.cancelled !== null) throw exchange.cancelled
    callUpstream(exchange, call, (flow) => new Answer(exchange, { ...call, flow, resolve, reject }))
  })
}

interface AnswerParts {
  readonly target: Target
  readonly request: ReadRequest
  readonly flow: Flow
  resolve(): void
  reject(error: GatewayError): void
}

/** `unsure`: not enough came to tell. `untouched`: passed on unread, because it is too large or encoded. */
type Mode = 'unsure' | 'whole' | 'stream' | 'untouched'

/** One answer on its way from the upstream to the client. */
class Answer implements AnswerSink {
  readonly #exchange: HttpExchange
  readonly #parts: AnswerParts
  readonly #format: WireFormat
  #mode: Mode = 'unsure'
  #status = 0
  #headers: string[] = []
  #decoder: Decoder | null = null
  #clientIsSlow = false
  #chunks: Buffer[] = []
  #length = 0
  #framer: EventFramer | null = null
  #reader: StreamReader | null = null

  constructor(exchange: HttpExchange, parts: AnswerParts) {
    this.#exchange = exchange
    this.#parts = parts
    this.#format = exchange.wireFormat
  }

  start(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    const error = statusError(status, this.#parts.target.upstream.name)
    if (error !== null) {
      this.#parts.flow.discard()
      this.#parts.reject(error)
      return
    }
    this.#status = status
    this.#headers = headersForClient(headers)
    if (status >= 400) this.#mode = 'whole'
    const encoding = headers['content-encoding']
    if (typeof encoding === 'string') this.#openDecoder(encoding)
  }

  data(chunk: Buffer): void {
    if (this.#decoder === null) this.#take(chunk)
    else if (!this.#decoder.write(chunk)) this.#parts.flow.pause()
  }

  end(): void {
    if (this.#decoder === null) this.#ended()
    else this.#decoder.end()
  }

  fail(error: GatewayError): void {
    this.#decoder?.destroy()
    this.#decoder = null
    if (!this.#exchange.answerHasBegun) this.#parts.reject(error)
    else if (this.#reader?.complete === true && error.code !== 'client_closed') this.#ended()
    else this.#cut(error)
  }

  /** An upstream may compress though it was not asked to; the client gets plain bytes. */
  #openDecoder(encoding: string): void {
    this.#decoder = openDecoder(encoding, {
      data: (chunk) => this.#take(chunk),
      end: () => this.#ended(),
      fail: (error) => {
        this.#parts.flow.discard()
        this.fail(error)
      },
      drained: () => {
        if (!this.#clientIsSlow) this.#parts.flow.resume()
      },
    })
    if (this.#decoder !== null) dropHeader(this.#headers, 'content-encoding')
    else if (encoding.toLowerCase() !== 'identity') this.#passUntouched()
  }

  #take(chunk: Buffer): void {
    switch (this.#mode) {
      case 'stream':
        this.#passEvents(chunk)
        return
      case 'untouched':
        this.#write(chunk)
        return
      case 'whole':
        this.#gather(chunk)
        return
      case 'unsure':
        if (this.#gather(chunk)) this.#decide()
    }
  }

  /** Whether this is a stream: its first bytes say so, not its content-type. */
  #decide(): void {
    const begun = this.#joined()
    const events = looksLikeEvents(begun)
    if (events === undefined) return
    if (events) this.#beginStream(begun)
    else this.#mode = 'whole'
  }

  /** Keeps a piece; false: there is no more room, and what that means has been done. */
  #gather(chunk: Buffer): boolean {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    if (this.#length > this.#exchange.plane.rules.limits.responseBuffer) {
      this.#passUntouched()
      return false
    }
    if (this.#exchange.tryHold(chunk.length)) return true
    this.#parts.flow.discard()
    this.fail(this.#exchange.noRoom())
    return false
  }

  #joined(): Buffer {
    const [only] = this.#chunks
    if (this.#chunks.length === 1 && only !== undefined) return only
    const joined = Buffer.concat(this.#chunks)
    this.#chunks = [joined]
    return joined
  }

  #passUntouched(): void {
    this.#mode = 'untouched'
    this.#exchange.record.parsed = false
    this.#exchange.start(this.#status, this.#headers)
    for (const chunk of this.#chunks) this.#write(chunk)
    this.#chunks = []
  }

  #beginStream(begun: Buffer): void {
    const { record, plane } = this.#exchange
    record.mode = 'stream'
    this.#mode = 'stream'
    this.#chunks = []
    this.#framer = new EventFramer(plane.rules.limits.responseBuffer)
    this.#reader = this.#format.readStream(this.#format.choices(this.#parts.request.body))
    this.#exchange.start(this.#status, this.#headers)
    this.#passEvents(begun)
  }

  #passEvents(chunk: Buffer): void {
    const events = this.#framer?.feed(chunk)
    if (events !== undefined && events.length > 0) this.#reader?.read(events)
    this.#write(chunk)
  }

  #write(chunk: Buffer): void {
    if (this.#exchange.write(chunk) || this.#clientIsSlow) return
    this.#clientIsSlow = true
    this.#decoder?.pause()
    this.#parts.flow.pause()
    this.#exchange.onDrain(() => {
      this.#clientIsSlow = false
      this.#decoder?.resume()
      if (this.#decoder?.isFull !== true) this.#parts.flow.resume()
    })
  }

  #ended(): void {
    if (this.#mode === 'stream') this.#endStream()
    else if (this.#mode === 'untouched') this.#finish()
    else this.#sendWhole()
  }

  #sendWhole(): void {
    const { record } = this.#exchange
    const body = this.#joined()
    record.mode = 'json'
    const answer = asObject(parseJson(isAscii(body) ? body.toString('latin1') : body.toString()))
    record.parsed = answer !== null
    if (answer !== null) this.#note(this.#format.readAnswer(answer))
    this.#exchange.send(this.#status, this.#headers, body)
    this.#parts.resolve()
  }

  #endStream(): void {
    const { record } = this.#exchange
    const provider = this.#parts.target.upstream.name
    const rest = this.#framer?.rest()
    if (rest !== undefined && rest.length > 0) this.#reader?.read(rest)
    const reader = this.#reader
    if (reader === null || reader.complete || reader.failed || this.#framer?.overflown === true) {
      if (reader?.failed === true) recordFailure(record, refusalOf.cutOff(provider))
      this.#finish()
      return
    }
    this.#cut(refusalOf.cutOff(provider))
  }

  #finish(): void {
    this.#noteStream()
    this.#exchange.finish()
    this.#parts.resolve()
  }

  /** The answer has begun and will not be whole: tells so, in the client's own format, if it can. */
  #cut(error: GatewayError): void {
    this.#noteStream()
    recordFailure(this.#exchange.record, error)
    if (error.code === 'client_closed') this.#exchange.hangUp()
    else {
      if (this.#reader?.failed === false && this.#framer?.atBoundary === true) {
        const refusal = refusalOf.error(error, this.#exchange.record)
        this.#exchange.write(Buffer.from(this.#format.streamError(refusal)))
      }
      this.#exchange.abort()
    }
    this.#parts.resolve()
  }

  #noteStream(): void {
    if (this.#reader === null) return
    this.#exchange.record.parsed = this.#reader.parsed
    this.#note(this.#reader.facts)
  }

  #note(facts: AnswerFacts): void {
    const { record } = this.#exchange
    record.answeredModel = facts.model
    record.finish = facts.finish
    record.usage = facts.usage
  }
}

function dropHeader(headers: string[], name: string): void {
  const index = headers.findIndex((header, at) => at % 2 === 0 && header === name)
  if (index >= 0) headers.splice(index, 2)
}
