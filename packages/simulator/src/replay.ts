import { validateHeaderName, validateHeaderValue } from 'node:http'
import { cutRandomly } from './cut.ts'
import type { Delivery, Write } from './delivery.ts'
import { createRandom } from './random.ts'
import { startServer, type RecordedRequest, type ServerOptions, type Simulator } from './server.ts'

/** The part of a recorded exchange that an upstream needs to say it again. */
export interface RecordedExchange {
  readonly response: {
    readonly status: number
    readonly headers: { readonly [name: string]: string }
    /** After content-decoding. */
    readonly body: string
    readonly body_encoding: 'utf8' | 'base64' | (string & {})
    readonly wire?:
      | { readonly content_encoding?: string | null; readonly body_base64?: string | null }
      | null
      | undefined
  }
}

export interface ReplayOptions extends ServerOptions {
  /** One write for the whole body, or many that are cut at random offsets, the same for a seed. */
  readonly cut?: 'whole' | { readonly seed: number } | undefined
  /** Sends the compressed bytes that were on the wire, where the recording has them. */
  readonly encoded?: boolean | undefined
}

type Source = RecordedExchange | ((request: RecordedRequest) => RecordedExchange | undefined)

// They speak of the connection, or of the body as it was on the wire then.
const droppedHeaders = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Starts an upstream that answers every request from a recording, whatever its path. */
export async function startReplay(source: Source, options: ReplayOptions = {}): Promise<Simulator> {
  return startServer((request, isTooLarge) => {
    const exchange = typeof source === 'function' ? source(request) : source
    if (isTooLarge) return refusal(413, 'The body of the request is too large.')
    if (!exchange) return refusal(404, 'There is no recording for this request.')
    return replay(exchange, options)
  }, options)
}

function replay({ response }: RecordedExchange, options: ReplayOptions): Delivery {
  const { wire } = response
  const encoded = options.encoded && wire?.body_base64 ? wire.body_base64 : undefined
  const body =
    encoded === undefined
      ? Buffer.from(response.body, response.body_encoding === 'base64' ? 'base64' : 'utf8')
      : Buffer.from(encoded, 'base64')
  return {
    status: response.status,
    headers: {
      ...keptHeaders(response.headers),
      ...(encoded !== undefined && { 'content-encoding': wire?.content_encoding ?? 'gzip' }),
    },
    writes: writesOf(body, options.cut ?? 'whole'),
  }
}

function writesOf(body: Buffer, cut: 'whole' | { readonly seed: number }): readonly Write[] {
  if (body.length === 0) return []
  const pieces = cut === 'whole' ? [body] : cutRandomly(body, createRandom(cut.seed))
  return pieces.map((bytes) => ({ bytes, at: 0 }))
}

function keptHeaders(headers: { readonly [name: string]: string }) {
  const kept = Object.entries(headers).filter(
    ([name, value]) => !droppedHeaders.has(name.toLowerCase()) && isSendable(name, value),
  )
  return Object.fromEntries(kept)
}

/** Recordings went through other hands; some hold what no server would send. */
function isSendable(name: string, value: string): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}

function refusal(status: number, message: string): Delivery {
  const body = Buffer.from(JSON.stringify({ error: { message, type: 'replay_error' } }))
  return {
    status,
    headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
    writes: [{ bytes: body, at: 0 }],
  }
}
