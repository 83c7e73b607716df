import { GatewayError } from '../errors.ts'
import type { HttpExchange } from './http-exchange.ts'

/** The whole body, in memory: bounded in size, in time, and for the process. */
export function collectBody(exchange: HttpExchange, limit: number): Promise<Buffer> {
  const { request, response, headers, plane } = exchange
  if ((headers.contentLength ?? 0) > limit) throw tooLarge(limit)
  if (headers.expectsContinue) response.writeContinue()

  const begunAt = plane.clock.elapsed()
  const chunks: Buffer[] = []
  let length = 0

  return new Promise((resolve, reject) => {
    const settle = () => {
      exchange.deadline = Infinity
      exchange.onExpire = null
      exchange.onCancel = null
      exchange.waited(begunAt)
    }
    const stop = (reason: GatewayError) => {
      settle()
      request.off('data', take).off('end', done)
      reject(reason)
    }
    const take = (chunk: Buffer) => {
      length += chunk.length
      chunks.push(chunk)
      if (length > limit) stop(tooLarge(limit))
      else if (!exchange.tryHold(chunk.length)) stop(exchange.noRoom())
    }
    const done = () => {
      settle()
      const [only] = chunks
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks))
    }
    exchange.deadline = begunAt + plane.rules.timeouts.body
    exchange.onCancel = stop
    exchange.onExpire = () => stop(tooSlow())
    request.on('data', take)
    request.on('error', ignore)
    request.on('end', done)
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
