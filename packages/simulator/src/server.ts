import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { deliver, type Delivery } from './delivery.ts'

const maxBody = 64 * 1024 * 1024
const maxRecorded = 10_000

export interface ServerOptions {
  readonly host?: string | undefined
  /** 0, the default, takes any free port. */
  readonly port?: number | undefined
  /** Keeps the last 10,000 requests for tests to look at. */
  readonly record?: boolean | undefined
}

/** A server that pretends to be a provider. */
export interface Simulator extends AsyncDisposable {
  /** `http://host:port`, without a slash at its end. */
  readonly url: string
  readonly port: number
  /** What was asked, oldest first; empty unless `record` is on. */
  readonly requests: readonly RecordedRequest[]
  /** Stops listening and drops every connection. */
  close(): Promise<void>
}

export interface RecordedRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Turns true when the client hung up before the end. */
  readonly aborted: boolean
  /** Turns true when the answer was sent as far as it was meant to be. */
  readonly finished: boolean
}

/** Answers a request; one whose body is too large has only the beginning of it. */
type Handle = (request: RecordedRequest, isTooLarge: boolean) => Delivery | Promise<Delivery>

/** An HTTP server whose answers are values: it reads, asks `handle`, sends, and records. */
export async function startServer(handle: Handle, options: ServerOptions): Promise<Simulator> {
  const host = options.host ?? '127.0.0.1'
  const requests: RecordedRequest[] = []
  const server = createServer({ maxHeaderSize: 64 * 1024 }, (incoming, response) => {
    serve({ incoming, response, handle, remember }).catch((error: unknown) => {
      incoming.destroy(error instanceof Error ? error : undefined)
    })
  })
  // A pooled connection that dies of idleness would look like a fault of the gateway.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0

  function remember(request: RecordedRequest) {
    if (!options.record) return
    requests.push(request)
    if (requests.length > maxRecorded) requests.shift()
  }

  server.listen({ host, port: options.port ?? 0, backlog: 4096 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  return { url, port, requests, close, [Symbol.asyncDispose]: close }
}

interface Call {
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly handle: Handle
  readonly remember: (request: RecordedRequest) => void
}

async function serve({ incoming, response, handle, remember }: Call): Promise<void> {
  const { bytes, end } = await readBody(incoming)
  const request = {
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    headers: incoming.headers,
    body: bytes,
    aborted: end === 'aborted',
    finished: false,
  }
  remember(request)
  if (request.aborted) return

  const hangup = new AbortController()
  const markFinished = () => {
    request.finished = true
  }
  response.once('finish', markFinished)
  response.once('close', () => {
    if (request.finished) return
    request.aborted = true
    hangup.abort()
  })
  const delivery = await handle(request, end === 'too-large')
  await deliver(delivery, { response, signal: hangup.signal, markFinished })
}

interface Body {
  readonly bytes: Buffer
  readonly end: 'whole' | 'aborted' | 'too-large'
}

function readBody(incoming: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  // What is announced to be too large is answered before it comes; it is still read, and dropped.
  let size = Number(incoming.headers['content-length']) > maxBody ? Infinity : 0
  return new Promise((resolve) => {
    let isSettled = false
    const settle = (end: Body['end']) => {
      if (isSettled) return
      isSettled = true
      resolve({ bytes: Buffer.concat(chunks), end })
    }
    if (size > maxBody) settle('too-large')
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBody) chunks.push(chunk)
      else settle('too-large')
    })
    incoming.once('end', () => {
      settle('whole')
    })
    incoming.once('close', () => {
      settle('aborted')
    })
  })
}
