import { setImmediate } from 'node:timers/promises'
import { constants, createGzip, type Gzip } from 'node:zlib'
import type { Write } from './delivery.ts'

/** Compresses a body so that each write can be read as soon as it arrives. */
export async function gzipWrites(
  writes: readonly Write[],
  isComplete: boolean,
): Promise<readonly Write[]> {
  const gzip = createGzip()
  const arrived: Buffer[] = []
  gzip.on('data', (chunk: Buffer) => arrived.push(chunk))

  const compressed: Write[] = []
  for (const { bytes, at } of writes) {
    gzip.write(bytes)
    await flush(gzip)
    compressed.push({ at, bytes: Buffer.concat(arrived.splice(0)) })
  }
  if (!isComplete) {
    gzip.destroy()
    return compressed
  }
  await new Promise<void>((resolve) => gzip.once('end', resolve).end())
  const at = compressed.at(-1)?.at ?? 0
  return [...compressed, { at, bytes: Buffer.concat(arrived) }]
}

async function flush(gzip: Gzip): Promise<void> {
  await new Promise<void>((resolve) => {
    gzip.flush(constants.Z_SYNC_FLUSH, resolve)
  })
  // The bytes are handed out a turn after they were made.
  await setImmediate()
}
