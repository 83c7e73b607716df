import type { IncomingMessage } from 'node:http'

/** A refused body up to this size is read and thrown away, so that its connection can go on. */
export const worthDiscarding = 1024 * 1024
/** How long a client that sends more has to read its answer before the connection is reset. */
const graceMs = 1_000

/**
 * Deals with a body that nobody wants, after the answer was written. Closing at once would reset
 * the connection, and a client that is still sending would lose the answer that says why.
 */
export function discardBody(request: IncomingMessage, isLast: boolean): void {
  const { socket } = request
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > worthDiscarding) request.pause()
  })
  request.on('error', () => undefined)
  request.resume()

  // What node does after a last answer, and what would reset the connection.
  if (isLast) socket.destroySoon = () => undefined
  const timer = setTimeout(() => socket.destroy(), graceMs)
  socket.once('close', () => clearTimeout(timer))
  if (!isLast) request.once('end', () => clearTimeout(timer))
}
