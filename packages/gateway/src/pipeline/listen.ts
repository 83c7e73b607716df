import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { BlockList, Socket } from 'node:net'
import type { DecisionRecord } from '../exchange.ts'
import { uuidv7 } from '../lib/ids.ts'
import { answerUnparsable, refuseConnection } from './answer-unparsable.ts'
import { clientAddress, connectionOf, trustedProxies, type Connection } from './connection.ts'
import type { Dataplane } from './dataplane.ts'
import { handle } from './handle.ts'
import { HttpExchange } from './http-exchange.ts'
import { readHeaders, type RequestHeaders } from './request-headers.ts'

export interface ListenerOptions {
  readonly trustedProxies: readonly string[]
  /** PEM texts; null: no TLS. */
  readonly tls: {
    readonly cert: string
    readonly key: string
    readonly clientCa: string | null
    readonly clientAuth: 'none' | 'request' | 'require'
    readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  } | null
}

/** The data plane's server, not listening yet. */
export function createListener(plane: Dataplane, options: ListenerOptions): Server {
  const trusted = trustedProxies(options.trustedProxies)
  const server = openServer(plane, options)
  // Headers are bounded by their size; a count would drop the rest in silence.
  server.maxHeadersCount = 0

  const onRequest = (request: IncomingMessage, response: ServerResponse) =>
    receive(plane, { request, response, trusted })
  server.on('request', onRequest)
  // Without this, node would invite the body of a caller whose key was not looked at yet.
  server.on('checkContinue', onRequest)
  server.on('connection', (socket: Socket) => countConnection(plane, socket, options.tls !== null))
  server.on('clientError', (error, socket) => answerUnparsable(plane, error, socket))
  return server
}

function openServer(plane: Dataplane, { tls }: ListenerOptions): Server {
  const { limits, timeouts } = plane.rules
  const options: ServerOptions = {
    keepAliveTimeout: timeouts.keepAlive,
    headersTimeout: timeouts.headers,
    // The body's time is the exchange's own limit, which can tell the client in its dialect.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(1_000, timeouts.headers),
    maxHeaderSize: limits.headers,
    noDelay: true,
    // Judged by us, so that it is told like everything else that is no request.
    requireHostHeader: false,
  }
  if (tls === null) return createServer(options)
  return createTlsServer({
    ...options,
    cert: tls.cert,
    key: tls.key,
    ...(tls.clientCa !== null && { ca: tls.clientCa }),
    requestCert: tls.clientAuth !== 'none',
    rejectUnauthorized: tls.clientAuth === 'require',
    minVersion: tls.minVersion,
  })
}

function countConnection({ bounds }: Dataplane, socket: Socket, isTls: boolean): void {
  if (!bounds.openConnection()) {
    // Inside TLS nothing can be said before the handshake, which is what costs.
    if (isTls) socket.destroy()
    else refuseConnection(socket)
    return
  }
  socket.once('close', () => bounds.closeConnection())
}

/** HTTP/1.1 asks for exactly one Host; two may mean different servers to different parsers. */
function namesOneHost({ hosts }: RequestHeaders, request: IncomingMessage): boolean {
  if (request.httpVersionMajor !== 1) return false
  return hosts === 1 || (hosts === 0 && request.httpVersionMinor === 0)
}

interface Arrival {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly trusted: BlockList | null
}

function receive(plane: Dataplane, { request, response, trusted }: Arrival): void {
  const elapsed = plane.clock.elapsed()
  const connection = connectionOf(request.socket, elapsed)
  const headers = readHeaders(request.rawHeaders)
  if (!namesOneHost(headers, request)) {
    answerUnparsable(plane, new Error('not one host'), request.socket)
    return
  }
  const { path, query } = splitTarget(request.url ?? '/')
  const exchange = new HttpExchange({
    request,
    response,
    headers,
    path,
    query,
    plane,
    begunAt: elapsed,
    record: openRecord(plane, connection, {
      headers,
      ip: clientAddress(connection.peer, headers.forwardedFor, trusted),
    }),
    lastOnConnection: elapsed > connection.restAt,
  })
  void answerOn(connection, exchange)
}

async function answerOn(connection: Connection, exchange: HttpExchange): Promise<void> {
  connection.latest = exchange
  await handle(exchange)
  if (connection.latest === exchange) connection.latest = null
}

/** Path and query of a request target; a proxy's absolute form is taken too. */
function splitTarget(target: string): { path: string; query: string } {
  const local = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '')
  const mark = local.indexOf('?')
  return mark < 0
    ? { path: local, query: '' }
    : { path: local.slice(0, mark), query: local.slice(mark + 1) }
}

function openRecord(
  { rules, directory, clock }: Dataplane,
  connection: Connection,
  { headers, ip }: { headers: RequestHeaders; ip: string },
): DecisionRecord {
  const startedAt = clock.now()
  return {
    id: uuidv7(startedAt),
    startedAt,
    snapshot: rules.hash,
    directory: directory.revision,
    principal: null,
    protocol: null,
    endpoint: null,
    model: null,
    stream: null,
    ip,
    requestBytes: 0,
    traceId: headers.traceparent === null ? null : traceId(headers.traceparent),
    tls: connection.tls,
    steps: [],
    target: null,
    targetWhy: null,
    verdict: 'allow',
    code: null,
    attempts: [],
    mode: null,
    finish: null,
    answeredModel: null,
    status: null,
    responseBytes: 0,
    parsed: null,
    usage: null,
    gatewayMicros: 0,
    upstreamFirstByteMs: null,
    totalMs: 0,
    outcome: 'completed',
  }
}

/** https://www.w3.org/TR/trace-context/#traceparent-header */
function traceId(traceparent: string): string | null {
  return /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/.exec(traceparent)?.[1] ?? null
}
