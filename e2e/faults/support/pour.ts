import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RawAnswer } from './raw-answer.ts'
import { dial, requestBytes, type RawConnection } from './raw-connection.ts'

export interface Pouring {
  readonly key: string
  readonly bytes: number
  readonly chunked: boolean
}

export interface Poured {
  /** What the client was told, if it was told anything. */
  readonly answer: RawAnswer | undefined
  /** Bytes that left the client before it was stopped. */
  readonly sent: number
}

const piece = Buffer.alloc(64 * 1024, ' ')
const chunk = Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')])

/** Sends a body of this size without a look at the answer, until it is through or is stopped. */
export async function pour(url: string, { key, bytes, chunked }: Pouring): Promise<Poured> {
  await using connection = await dial(url)
  const { socket } = connection
  const framing = chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(bytes) }
  const headers = { 'content-type': 'application/json', ...framing }
  connection.send(requestBytes(key, { headers }))

  let written = 0
  while (written < bytes && connection.end === 'open') {
    written += piece.length
    if (!socket.write(chunked ? chunk : piece)) await nextDrain(connection)
  }
  await connection.ended()
  const [answer] = connection.answers()
  return { answer, sent: socket.bytesWritten - socket.writableLength }
}

async function nextDrain({ socket }: RawConnection): Promise<void> {
  const stop = new AbortController()
  const { signal } = stop
  const seen = [
    once(socket, 'drain', { signal }),
    once(socket, 'close', { signal }),
    sleep(3_000, null, { signal }),
  ]
  await Promise.race(seen).catch(() => undefined)
  stop.abort()
  await Promise.allSettled(seen)
}
