import type { IncomingMessage, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import { GatewayError } from '../errors.ts'
import type { DecisionRecord, Stage, StepVerdict } from '../exchange.ts'
import type { WireFormat } from '../protocol.ts'
import { wireFormats } from '../protocols/index.ts'
import type { Dataplane, OpenExchange } from './dataplane.ts'
import { discardBody, worthDiscarding } from './discard-body.ts'
import type { RequestHeaders } from './request-headers.ts'

/** What a path that is not known is answered in. */
const defaultWireFormat: WireFormat = wireFormats['openai-chat']

/** Larger bodies are not copied for the sake of a single write. */
const joinedUpTo = 64 * 1024

/** One exchange over node:http: what came in, the one answer that goes out, and its end. */
export class HttpExchange implements OpenExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly headers: RequestHeaders
  readonly path: string
  readonly query: string
  readonly record: DecisionRecord
  readonly plane: Dataplane
  /** When it began, on the clock that never runs backwards. */
  readonly begunAt: number
  /** The format that refusals are told in; known from the path. */
  wireFormat: WireFormat
  /** Told to a client that used another method. */
  allowedMethod: string | null = null
  /** Whether this answer is the last on its connection. */
  lastOnConnection: boolean
  /** Time that was spent waiting for the client's body or for the upstream: not ours. */
  waitedMs = 0
  /** When the wait that is going on is over. */
  deadline = Infinity
  slot = -1
  /** What to do when that time has come. */
  onExpire: (() => void) | null = null
  /** What to do when the client leaves while something is awaited. */
  onCancel: ((reason: GatewayError) => void) | null = null
  /** The step that is being taken: the one that a refusal is recorded under. */
  stage: Stage = 'route'
  #stageBegunAt: number
  #heldKibibytes = 0
  #hasPlace = false
  /** Whether chunks may go to the socket directly: node has written the head and asked for chunks. */
  #framesItself = false
  #decided = false
  #cancelled: GatewayError | null = null

  constructor(parts: {
    request: IncomingMessage
    response: ServerResponse
    headers: RequestHeaders
    path: string
    query: string
    record: DecisionRecord
    plane: Dataplane
    begunAt: number
    lastOnConnection: boolean
  }) {
    this.request = parts.request
    this.response = parts.response
    this.headers = parts.headers
    this.path = parts.path
    this.query = parts.query
    this.record = parts.record
    this.plane = parts.plane
    this.wireFormat = defaultWireFormat
    this.lastOnConnection = parts.lastOnConnection
    this.begunAt = parts.begunAt
    this.#stageBegunAt = parts.begunAt
    this.response.on('close', () => this.#connectionClosed())
    parts.plane.deadlines.watch(this)
  }

  /** Whether the client has left, or a limit has ended the exchange. */
  get cancelled(): GatewayError | null {
    return this.#cancelled
  }

  /** Ends the wait that is going on, if any; told once. */
  cancel(reason: GatewayError): void {
    if (this.#cancelled !== null) return
    this.#cancelled = reason
    this.onCancel?.(reason)
  }

  expire(): void {
    this.onExpire?.()
  }

  /** Writes the verdict on the step that is being taken, and its time, into the record. */
  judged(verdict: StepVerdict, by: string, why: string | null = null): void {
    const now = this.plane.clock.elapsed()
    const micros = Math.round((now - this.#stageBegunAt) * 1000)
    this.#stageBegunAt = now
    this.record.steps.push({ stage: this.stage, by, verdict, why, micros })
  }

  /** Time that passed while something was awaited belongs to no step of ours. */
  waited(since: number): void {
    this.#stageBegunAt = this.plane.clock.elapsed()
    this.waitedMs += this.#stageBegunAt - since
  }

  /** Counts memory that the exchange keeps until it ends; false: the process holds too much. */
  tryHold(bytes: number): boolean {
    const kibibytes = Math.ceil(bytes / 1024)
    if (!this.plane.bounds.holdKibibytes(kibibytes)) return false
    this.#heldKibibytes += kibibytes
    return true
  }

  /** What a caller is told whose exchange would take more memory than there is for all. */
  noRoom(): GatewayError {
    return new GatewayError('overloaded', 'The gateway is at its limit; try again shortly.', {
      why: 'server.limits.bytesInFlight reached',
    })
  }

  /** The whole answer, in one write. */
  send(status: number, headers: string[], body: Buffer | string): void {
    const { response, record } = this
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    if (status !== 204 && status !== 304) headers.push('content-length', String(length))
    record.status = status
    record.responseBytes = length
    const unread = this.#unreadBytes
    if (unread > worthDiscarding) this.lastOnConnection = true
    this.#writeHead(status, headers)
    if (typeof body !== 'string' && length <= joinedUpTo) {
      // As Latin-1 (a byte is a character) head and body leave as one string in one write.
      response.end(body.toString('latin1'), 'latin1')
    } else response.end(body)
    if (unread > 0) discardBody(this.request, this.lastOnConnection)
  }

  /** Begins an answer whose length is not known. */
  start(status: number, headers: string[]): void {
    this.record.status = status
    this.#writeHead(status, headers)
  }

  /** A piece of an answer that has begun; false: the client is slow, wait for `onDrain`. */
  write(chunk: Buffer): boolean {
    const { response } = this
    const { socket } = response
    // An empty chunk would be the last one.
    if (chunk.length === 0) return true
    this.record.responseBytes += chunk.length
    if (socket === null || !this.#framesItself || chunk.length > joinedUpTo) {
      this.#framesItself = response.chunkedEncoding
      return response.write(chunk)
    }
    // Node would frame a chunk as four pieces; as one Latin-1 string it is one, in one write.
    const { length } = chunk
    return socket.write(`${length.toString(16)}\r\n${chunk.toString('latin1')}\r\n`, 'latin1')
  }

  onDrain(resume: () => void): void {
    const target = this.#framesItself ? this.response.socket : this.response
    target?.once('drain', resume)
  }

  /** The proper end of an answer that has begun. */
  finish(): void {
    this.response.end()
  }

  /** Ends an answer so that the client sees it was cut, after what was written has left. */
  abort(): void {
    const { socket, chunkedEncoding } = this.response
    // No final chunk: the connection's end is what tells the client.
    if (chunkedEncoding) socket?.destroySoon()
    // HTTP/1.0 takes a connection's end for the end of the answer; a reset it does not.
    else if (socket instanceof TLSSocket) socket.destroy()
    else socket?.resetAndDestroy()
  }

  /** Nothing that follows on this connection can be read: it ends with this answer. */
  endConnection(): void {
    this.lastOnConnection = true
    this.response.once('finish', () => this.request.socket.destroySoon())
  }

  /** Ends the connection of a client that takes nothing any more. */
  hangUp(): void {
    this.response.socket?.destroy()
  }

  /** Bytes of the answer that the system has not taken yet. */
  get unsentBytes(): number {
    return this.response.writableLength
  }

  /** Waits until the answer has left; settles with the reason if it never will. */
  delivered(): Promise<GatewayError | null> {
    return new Promise((resolve) => {
      const done = (reason: GatewayError | null) => {
        this.deadline = Infinity
        this.onCancel = null
        this.onExpire = null
        resolve(reason)
      }
      const wait = (unsent: number) => {
        this.deadline = this.plane.clock.elapsed() + this.plane.rules.timeouts.body
        this.onExpire = () => {
          if (this.unsentBytes < unsent) {
            wait(this.unsentBytes)
            return
          }
          this.hangUp()
          done(new GatewayError('client_closed', 'The client stopped taking its answer.'))
        }
      }
      if (this.#cancelled !== null) {
        done(null)
        return
      }
      this.onCancel = done
      this.response.once('finish', () => done(null))
      wait(this.unsentBytes)
    })
  }

  get answerHasBegun(): boolean {
    return this.response.headersSent
  }

  /** Takes a place among the exchanges of the process; false: there is none. */
  takePlace(): boolean {
    this.#hasPlace = this.plane.bounds.openExchange()
    return this.#hasPlace
  }

  /** Everything is decided: the record is kept from here on, whatever happens to this process. */
  decided(): void {
    this.#decided = true
    this.plane.recorder.decided(this.record)
  }

  /** The one end: gives back what was taken and closes the record. */
  close(): void {
    const { plane, record } = this
    plane.deadlines.forget(this)
    if (this.#heldKibibytes > 0) plane.bounds.releaseKibibytes(this.#heldKibibytes)
    if (this.#hasPlace) plane.bounds.closeExchange()

    record.totalMs = plane.clock.elapsed() - this.begunAt
    record.gatewayMicros = Math.max(0, Math.round((record.totalMs - this.waitedMs) * 1000))
    if (!this.#decided) this.decided()
    plane.recorder.closed(record)
  }

  /** At most so much of a body may still come; a chunked one says nothing of its size. */
  get #unreadBytes(): number {
    if (this.request.complete) return 0
    return this.headers.isChunked ? Infinity : (this.headers.contentLength ?? 0)
  }

  #writeHead(status: number, headers: string[]): void {
    headers.push('x-sluice-decision', this.record.id)
    if (this.lastOnConnection || this.plane.draining || this.#refusesContinue()) {
      headers.push('connection', 'close')
    }
    this.response.writeHead(status, headers)
  }

  /** A client that still waits for "100 Continue" may or may not send its body: only a close is safe. */
  #refusesContinue(): boolean {
    return this.headers.expectsContinue && this.#unreadBytes > 0
  }

  #connectionClosed(): void {
    if (this.response.writableFinished) return
    this.cancel(new GatewayError('client_closed', 'The client closed the connection.'))
  }
}
