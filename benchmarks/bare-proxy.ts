// The yardstick: what anyone would write with node:http and undici, and nothing else.
// usage: node bare-proxy.ts PORT UPSTREAM
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Pool } from 'undici'

const [port, upstream] = process.argv.slice(2)
if (port === undefined || upstream === undefined) throw new Error('usage: PORT UPSTREAM')

const notPassed = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const pool = new Pool(upstream, { connections: 4096 })

createServer((request, response) => {
  const length = Number(request.headers['content-length'] ?? 0)
  if (length === 0) {
    forward(request, response, request.headers['transfer-encoding'] ? request : null)
    return
  }
  request.once('data', (first: Buffer) => {
    // A body that came whole is sent whole: cheaper than a stream, for undici and for us.
    if (first.length === length) {
      forward(request, response, first)
      return
    }
    request.pause()
    request.unshift(first)
    forward(request, response, request)
  })
}).listen(Number(port), '127.0.0.1')

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer | IncomingMessage | null,
): void {
  const options = {
    path: request.url ?? '/',
    method: request.method ?? 'GET',
    headers: passed(request.headers),
    body,
  }
  pool.dispatch(options, {
    onRequestStart(controller) {
      response.on('drain', () => controller.resume())
      response.on('close', () => {
        if (!response.writableEnded) controller.abort(new Error('The client left.'))
      })
    },
    onResponseStart(_controller, status, headers) {
      response.writeHead(status, passed(headers))
    },
    onResponseData(controller, chunk) {
      if (!response.write(chunk)) controller.pause()
    },
    onResponseEnd() {
      response.end()
    },
    onResponseError() {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    },
  })
}

/** The headers that a proxy hands on, as the flat list that both sides take. */
function passed(headers: NodeJS.Dict<string | string[]>): string[] {
  const flat: string[] = []
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || notPassed.has(name)) continue
    if (typeof value === 'string') flat.push(name, value)
    else for (const one of value) flat.push(name, one)
  }
  return flat
}
