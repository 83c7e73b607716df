import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { within } from '../../support/eventually.ts'
import { parseAnswers, type RawAnswer } from './raw-answer.ts'

export interface RawRequest {
  readonly method?: string
  readonly path?: string
  readonly version?: string
  /** Over the defaults; null leaves one out. */
  readonly headers?: Readonly<Record<string, string | null>>
  readonly body?: string | Buffer
}

/** The bytes of a request as a well-meaning client would send it, but for what is said otherwise. */
export function requestBytes(key: string | null, request: RawRequest = {}): Buffer {
  const { method = 'POST', path = '/v1/chat/completions', version = 'HTTP/1.1' } = request
  const body = Buffer.from(request.body ?? '')
  const headers: Record<string, string | null> = {
    host: 'gateway.test',
    authorization: key === null ? null : `Bearer ${key}`,
    ...(body.length > 0 && { 'content-type': 'application/json' }),
    ...(body.length > 0 && { 'content-length': String(body.length) }),
    ...request.headers,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : [`${name}: ${value}`],
  )
  return Buffer.concat([
    Buffer.from(`${[`${method} ${path} ${version}`, ...lines].join('\r\n')}\r\n\r\n`, 'latin1'),
    body,
  ])
}

/** The same with its body in chunks. */
export function chunkedRequest(key: string | null, body: string, request: RawRequest = {}): Buffer {
  const headers = {
    'content-type': 'application/json',
    'transfer-encoding': 'chunked',
    ...request.headers,
  }
  const head = requestBytes(key, { ...request, headers })
  const size = Buffer.byteLength(body).toString(16)
  return Buffer.concat([head, Buffer.from(`${size}\r\n${body}\r\n0\r\n\r\n`)])
}

/** A client of bytes: sends what no HTTP client would, and sees how its connection ends. */
export class RawConnection implements AsyncDisposable {
  readonly socket: Socket
  readonly #chunks: Buffer[] = []
  #end: 'open' | 'closed' | 'reset' = 'open'
  #onChange: () => void = () => undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#onChange()
    })
    socket.on('error', () => this.#endAs('reset'))
    socket.on('end', () => this.#endAs('closed'))
    socket.on('close', () => this.#endAs('closed'))
  }

  #endAs(end: 'closed' | 'reset'): void {
    if (this.#end === 'open') this.#end = end
    this.#onChange()
  }

  /** `closed` as soon as the other side has said its last. */
  get end(): 'open' | 'closed' | 'reset' {
    return this.#end
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** How many bytes have come. */
  get length(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  get text(): string {
    return this.received.toString('latin1')
  }

  send(bytes: Buffer | string): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  answers(toMethod = 'POST'): RawAnswer[] {
    return parseAnswers(this.received, { toMethod, isOver: this.#end !== 'open' })
  }

  /** Waits for so many whole answers, interim ones counted, and gives the last of them. */
  async answer(count = 1, { limit = 5_000, toMethod = 'POST' } = {}): Promise<RawAnswer> {
    const look = () => this.answers(toMethod).filter(({ isWhole }) => isWhole)[count - 1]
    const found = await this.#until(() => look() ?? (this.#end === 'open' ? null : 'ended'), limit)
    if (found === null) throw new Error(`No answer ${count} in ${limit} ms; so far ${this.#shown}`)
    if (found === 'ended') {
      throw new Error(`The connection was ${this.#end} before answer ${count}: ${this.#shown}`)
    }
    return found
  }

  /** Waits until the other side ends the connection. */
  async ended(limit = 5_000): Promise<'closed' | 'reset'> {
    const end = await this.#until(() => (this.#end === 'open' ? null : this.#end), limit)
    if (end === null) throw new Error(`Open after ${limit} ms; so far ${this.#shown}`)
    return end
  }

  /** What `look` finds, looked at again whenever something comes; null when it never does. */
  async #until<Found>(look: () => Found | null, limit: number): Promise<Found | null> {
    const until = performance.now() + limit
    for (;;) {
      const found = look()
      if (found !== null || performance.now() > until) return found
      await this.#change(until - performance.now())
    }
  }

  async #change(limit: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limit)
      this.#onChange = () => {
        clearTimeout(timer)
        // To look at much again and again, for each piece that comes, takes long.
        if (this.length < 256 * 1024) resolve()
        else setTimeout(resolve, 20)
      }
    })
    this.#onChange = () => undefined
  }

  get #shown(): string {
    return JSON.stringify(this.text.slice(0, 500))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return
    this.socket.destroy()
    await within(2_000, 'the end of a destroyed socket', once(this.socket, 'close'))
  }
}

export async function dial(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  const connection = new RawConnection(socket)
  await within(5_000, 'a connection', once(socket, 'connect'))
  return connection
}
