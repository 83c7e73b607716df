import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate, setTimeout } from 'node:timers/promises'

/** An answer in bytes, and how they go out. */
export interface Delivery {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly writes: readonly Write[]
  /** Milliseconds before the first byte. */
  readonly latency?: number | undefined
  readonly end?: End | undefined
}

/**
 * What happens after the last write. `close` ends the HTTP body; `fin` and `reset` drop the
 * connection before it has ended; `hang` sends nothing and waits for the client to go.
 */
type End = 'close' | 'fin' | 'reset' | 'hang'

export interface Write {
  readonly bytes: Buffer
  /** Milliseconds after the first byte; 0 goes out at once. */
  readonly at: number
}

/** Where an answer goes. */
export interface Line {
  readonly response: ServerResponse
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
  /** Says that all was sent that was meant to be, before the simulator itself drops the line. */
  readonly markFinished: () => void
}

/** Sends an answer; settles when all of it is sent or the client is gone. */
export async function deliver(delivery: Delivery, line: Line): Promise<void> {
  const { response, signal } = line
  const { status, headers, writes, latency = 0, end = 'close' } = delivery
  if (latency > 0) await pause(latency, signal)
  if (end === 'hang') {
    await forever(signal)
    return
  }
  if (signal.aborted) return

  response.writeHead(status, { ...headers })
  // The last write and the end of the body share a packet.
  const last = end === 'close' ? writes.at(-1) : undefined
  await send(writes, last, line)
  if (signal.aborted) return

  if (end === 'close') response.end(last?.bytes)
  else await dropLine(end, line)
}

/** Sends each write when its time has come, and only waits for the time of `kept`. */
async function send(writes: readonly Write[], kept: Write | undefined, line: Line) {
  const { response, signal } = line
  const begun = performance.now()
  for (const [index, write] of writes.entries()) {
    const wait = write.at === 0 ? 0 : begun + write.at - performance.now()
    if (wait > 0) await pause(wait, signal)
    // Within one turn of the event loop Node would put the writes into one packet.
    else if (index > 0) await setImmediate()

    if (signal.aborted || write === kept) return
    if (!response.write(write.bytes)) await drained(response, signal)
    if (signal.aborted) return
  }
}

async function dropLine(end: 'fin' | 'reset', { response, markFinished }: Line): Promise<void> {
  response.flushHeaders()
  const { socket } = response
  if (!socket) return
  await new Promise((resolve) => socket.write('', resolve))
  markFinished()
  if (end === 'fin') {
    socket.destroySoon()
    return
  }
  // What the client has not yet read when the reset arrives may be lost to it.
  await setTimeout(5)
  socket.resetAndDestroy()
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal }).catch(() => undefined)
}

async function forever(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  await once(response, 'drain', { signal }).catch(() => undefined)
}
