import { Agent as PlainAgent, request as plainRequest, type ClientRequest } from 'node:http'
import { request as tlsRequest, type RequestOptions } from 'node:https'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { within } from './eventually.ts'

export interface Question {
  readonly method?: string
  /** As many and as they are spelled. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Buffer
  /** What node's client takes besides: an agent, certificates. */
  readonly options?: RequestOptions
  readonly limit?: number
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  /** False: the connection ended before the body did. */
  readonly isWhole: boolean
}

/** An HTTP call that shows what a fetch hides: all headers, and an answer that was cut. */
export async function ask(url: string, question: Question = {}): Promise<Answer> {
  const { limit = 15_000 } = question
  const call = openCall(url, question)
  const answer = new Promise<Answer>((resolve, reject) => {
    call.once('response', (response) => resolve(gather(response)))
    call.once('error', reject)
  })
  try {
    return await within(limit, `an answer from ${url}`, answer)
  } finally {
    // Harmless when the answer came; without it a late one would go on being read.
    if (!call.destroyed && !call.reusedSocket && question.options?.agent === undefined) {
      call.destroy()
    }
  }
}

function openCall(url: string, { method = 'POST', headers, body, options }: Question) {
  const settings = { method, headers, ...options } as RequestOptions
  const call: ClientRequest = url.startsWith('https:')
    ? tlsRequest(url, settings)
    : plainRequest(url, { agent: oneUse, ...settings })
  call.end(body)
  return call
}

const oneUse = new PlainAgent({ keepAlive: false })

function gather(response: IncomingMessage): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    // An answer that is cut says so by 'error' first; 'close' comes in any case.
    response.on('error', () => undefined)
    response.once('close', () => {
      const body = Buffer.concat(chunks)
      const { statusCode = 0, headers, complete } = response
      resolve({ status: statusCode, headers, body, text: body.toString(), isWhole: complete })
    })
  })
}
