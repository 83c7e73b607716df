import type { IncomingMessage } from 'node:http'

/** Bytes of a refused body that are read and thrown away, so that the connection can go on. */
const worthReading = 256 * 1024
/** How long a client that sends more has to read its answer before the connection is reset. */
const graceMs = 1_000

/**
 * Deals with a body that nobody wants, after the answer was written. Closing at once would reset
 * the connection, and a client that is still sending would lose the answer that says why.
 */
export function discardBody(request: IncomingMessage): void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > worthReading) request.pause()
  })
  request.on('error', () => undefined)
  request.resume()

  const timer = setTimeout(() => request.socket.destroy(), graceMs)
  request.once('close', () => clearTimeout(timer))
  request.once('end', () => clearTimeout(timer))
}
