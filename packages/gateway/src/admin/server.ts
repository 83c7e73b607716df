import { createServer, type Server, type ServerResponse } from 'node:http'

export interface AdminOptions {
  /** Prometheus' text. */
  metrics(): Promise<string>
  /** `starting` and `draining` are not ready; reasons of a degraded state are in words. */
  readiness(): Promise<Readiness>
}

export type Readiness =
  | { readonly status: 'ready' | 'starting' | 'draining' }
  | { readonly status: 'degraded'; readonly reasons: readonly string[] }

/** The control plane's port: health and metrics. Not listening yet. */
export function createAdminServer(options: AdminOptions): Server {
  const pages: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/healthz': async (response) => sendJson(response, 200, { status: 'alive' }),
    '/readyz': async (response) => {
      const readiness = await options.readiness()
      const serves = readiness.status === 'ready' || readiness.status === 'degraded'
      sendJson(response, serves ? 200 : 503, readiness)
    },
    '/metrics': async (response) => {
      const text = await options.metrics()
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      response.end(text)
    },
  }

  return createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined
    if (page === undefined) sendProblem(response, 404, `There is nothing at this path.`)
    else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      sendProblem(response, 405, 'This path takes GET only.')
    } else {
      page(response).catch(() => sendProblem(response, 500, 'The gateway could not tell.'))
    }
  })
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

/** RFC 9457. */
function sendProblem(response: ServerResponse, status: number, detail: string): void {
  response.writeHead(status, { 'content-type': 'application/problem+json' })
  response.end(JSON.stringify({ status, detail }))
}
