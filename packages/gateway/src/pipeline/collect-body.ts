import { GatewayError } from '../errors.ts'
import type { HttpExchange } from './http-exchange.ts'

/** The whole body, in memory: bounded in size, in time, and for the process. */
export async function collectBody(exchange: HttpExchange, limit: number): Promise<Buffer> {
  if ((exchange.headers.contentLength ?? 0) > limit) throw tooLarge(limit)
  if (exchange.headers.expectsContinue) exchange.response.writeContinue()

  const { clock, rules } = exchange.plane
  const begunAt = clock.elapsed()
  exchange.deadline = begunAt + rules.timeouts.body
  try {
    return await chunksOf(exchange, limit)
  } finally {
    exchange.deadline = Infinity
    exchange.onExpire = null
    exchange.onCancel = null
    exchange.waited(begunAt)
  }
}

function chunksOf(exchange: HttpExchange, limit: number): Promise<Buffer> {
  const { request } = exchange
  const chunks: Buffer[] = []
  let length = 0

  return new Promise((resolve, reject) => {
    const stop = (reason: GatewayError) => {
      request.off('data', take)
      reject(reason)
    }
    const take = (chunk: Buffer) => {
      length += chunk.length
      if (length > limit) {
        stop(tooLarge(limit))
        return
      }
      try {
        exchange.hold(chunk.length)
      } catch (error) {
        stop(error as GatewayError)
        return
      }
      chunks.push(chunk)
    }
    exchange.onCancel = stop
    exchange.onExpire = () => stop(tooSlow())
    request.on('data', take)
    request.on('error', ignore)
    request.on('end', () => {
      const [only] = chunks
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks))
    })
  })
}

/** A connection that broke is told by its `close`. */
function ignore(): void {}

export function tooLarge(limit: number): GatewayError {
  return new GatewayError(
    'request_too_large',
    `The body is larger than ${limit} bytes, the most that is taken here.`,
  )
}

function tooSlow(): GatewayError {
  return new GatewayError('request_timeout', 'The body did not arrive in time; send it again.')
}
