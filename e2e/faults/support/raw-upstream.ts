import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

/** One call as it arrived at the upstream, and the socket to answer it on. */
export interface UpstreamCall {
  readonly model: string
  readonly head: string
  readonly body: string
  readonly socket: Socket
  /** Turns true when the gateway has ended the connection. */
  readonly isOver: boolean
  /** Bytes that left this process, into the system's buffers at least. */
  readonly written: number
  /** Writes without end until the gateway leaves, as fast as it takes them. */
  flood(chunk: Buffer): void
}

export type Script = (call: UpstreamCall) => void | Promise<void>

export interface RawUpstream extends AsyncDisposable {
  readonly url: string
  readonly calls: readonly UpstreamCall[]
  callOf(model: string): UpstreamCall | undefined
}

/** An upstream that does to each call what the script of its model's name says, in bytes. */
export async function startRawUpstream(
  scripts: Readonly<Record<string, Script>>,
): Promise<RawUpstream> {
  const calls: Call[] = []
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    let waiting = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      waiting = Buffer.concat([waiting, chunk])
      const request = readRequest(waiting)
      if (request === null) return
      waiting = waiting.subarray(request.length)
      const call = new Call(request, socket)
      calls.push(call)
      void scripts[call.model]?.(call)
    })
    // A gateway that hangs up is what many of these tests are about.
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    callOf: (model) => calls.find((call) => call.model === model),
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

interface Request {
  readonly head: string
  readonly body: string
  readonly length: number
}

function readRequest(bytes: Buffer): Request | null {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const head = bytes.toString('latin1', 0, headEnd)
  const size = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
  const length = headEnd + 4 + size
  if (bytes.length < length) return null
  return { head, body: bytes.toString('utf8', headEnd + 4, length), length }
}

class Call implements UpstreamCall {
  readonly model: string
  readonly head: string
  readonly body: string
  readonly socket: Socket
  isOver = false

  constructor({ head, body }: Request, socket: Socket) {
    this.head = head
    this.body = body
    this.socket = socket
    this.model = (JSON.parse(body) as { model: string }).model
    socket.once('close', () => (this.isOver = true))
  }

  get written(): number {
    return this.socket.bytesWritten - this.socket.writableLength
  }

  flood(chunk: Buffer): void {
    const more = () => {
      while (!this.isOver && this.socket.write(chunk));
    }
    this.socket.on('drain', more)
    more()
  }
}

/** An answer with its length. */
export function wholeAnswer(
  status: number | string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const bytes = Buffer.from(body)
  return Buffer.concat([
    answerHead(status, { 'content-length': String(bytes.length), ...headers }),
    bytes,
  ])
}

export function answerHead(
  status: number | string,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const line = typeof status === 'number' ? `HTTP/1.1 ${status} Status` : `HTTP/1.1 ${status}`
  const lines = Object.entries({ 'content-type': 'application/json', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  return Buffer.from(`${[line, ...lines].join('\r\n')}\r\n\r\n`)
}

/** The beginning of a chunked stream of events. */
export function streamHead(headers: Readonly<Record<string, string>> = {}): Buffer {
  return answerHead(200, {
    'content-type': 'text/event-stream',
    'transfer-encoding': 'chunked',
    ...headers,
  })
}

export function chunkOf(bytes: string | Buffer): Buffer {
  const body = Buffer.from(bytes)
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')])
}

export const lastChunk = '0\r\n\r\n'

/** An event of a chat stream. */
export function chatEvent(content: string, more: object = {}): string {
  return `data: ${JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    model: 'raw',
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
    ...more,
  })}\n\n`
}

/** A whole chat answer. */
export function chatAnswer(content: string): string {
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    model: 'raw',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
  })
}
