// The bare proxy with the first so many of the steps that a gateway takes for every request, to see
// what each costs. Not the product: only the least that such a step can be.
// usage: node step-proxy.ts PORT UPSTREAM STEPS FOLDER
import { hash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Pool } from 'undici'
import { model, upstreamModel } from '../load/requests.ts'
import { forwardedAnswer, forwardedRequest, passed } from './headers.ts'
import { createRecorder } from './recorder.ts'
import { newId } from './new-id.ts'

const [port, upstream, steps, folder] = process.argv.slice(2)
if (port === undefined || upstream === undefined || folder === undefined) {
  throw new Error('usage: PORT UPSTREAM STEPS FOLDER')
}
const count = Number(steps)
const does = { identity: true, headers: count > 1, request: count > 2, answer: count > 3 }
const record = count > 4 ? createRecorder(folder) : undefined

const pool = new Pool(upstream, { connections: 4096 })
const key = 'Bearer sk-sluice-benchmark-0123456789abcdef'
const apps = new Map([[hash('sha256', key, 'hex'), { tenant: 'bench', app: 'load' }]])
const grants = new Set([model])

interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
}

createServer((request, response) => {
  const app = apps.get(hash('sha256', request.headers.authorization ?? '', 'hex'))
  if (app === undefined) {
    response.writeHead(401).end()
    return
  }
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => forward(request, response, joined(chunks)))
}).listen(Number(port), '127.0.0.1')

function forward(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const began = performance.now()
  const id = newId(Date.now())
  const headers = does.headers ? forwardedRequest(request.headers) : passed(request.headers)
  const sent = does.request ? withUpstreamModel(body) : body
  if (sent === undefined) {
    response.writeHead(403).end()
    return
  }
  if (does.request) headers.push('content-length', `${sent.length}`)
  const answer: Buffer[] = []
  let status = 0
  let answerHeaders: string[] = []
  const options = { path: request.url ?? '/', method: request.method ?? 'GET', headers, body: sent }
  pool.dispatch(options, {
    onRequestStart(controller) {
      response.on('drain', () => controller.resume())
      response.on('close', () => {
        if (!response.writableEnded) controller.abort(new Error('The client left.'))
      })
    },
    onResponseStart(_controller, code, received) {
      status = code
      answerHeaders = does.headers ? forwardedAnswer(received) : passed(received)
      answerHeaders.push('x-sluice-decision', id)
      if (!does.answer) response.writeHead(status, answerHeaders)
    },
    onResponseData(controller, chunk) {
      if (does.answer) answer.push(chunk)
      else if (!response.write(chunk)) controller.pause()
    },
    onResponseEnd() {
      if (!does.answer) {
        response.end()
        return
      }
      const whole = joined(answer)
      response.writeHead(status, [...answerHeaders, 'content-length', `${whole.length}`])
      response.end(whole)
      const { usage } = JSON.parse(whole.toString()) as { usage: Usage }
      record?.(recordLine(id, usage, performance.now() - began))
    },
    onResponseError() {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    },
  })
}

/** The body with the upstream's name of the model; undefined where nothing allows the model. */
function withUpstreamModel(body: Buffer): Buffer | undefined {
  const text = body.toString()
  const request = JSON.parse(text) as { model: string; messages: unknown }
  if (!grants.has(request.model) || !Array.isArray(request.messages)) return undefined
  return Buffer.from(text.replace(`"model":"${request.model}"`, `"model":"${upstreamModel}"`))
}

function recordLine(id: string, usage: Usage, took: number): string {
  return (
    `C\t${id}\tallow\t\topenai-chat\tcompleted\t${Math.round(took * 1000)}\t${usage.prompt_tokens},` +
    `0,0,${usage.completion_tokens},0\t{"principal":{"kind":"app","tenant":"bench","team":null,` +
    `"app":"load","key":"key_0123456789ab","roles":["load"],"authentication":{"by":"key"}},` +
    `"request":{"endpoint":"chat.completions","model":"${model}","stream":false,"ip":"127.0.0.1"},` +
    `"steps":[{"stage":"authenticate","by":"key","verdict":"allow","micros":4},{"stage":"authorize",` +
    `"by":"role:load/allow/0","verdict":"allow","micros":3}],"route":{"chosen":"upstream/` +
    `${upstreamModel}","why":"only target","attempts":[{"target":"upstream","status":200}]},` +
    `"response":{"mode":"whole","finish":"stop","status":200,"parsed":true}}\n`
  )
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
}
