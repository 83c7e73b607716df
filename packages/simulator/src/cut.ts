import type { Write } from './delivery.ts'
import type { Options } from './options.ts'
import { below, createRandom, type Random } from './random.ts'

/** Cuts writes anew, without moving any byte to another moment. */
export function recut(
  writes: readonly Write[],
  cut: NonNullable<Options['cut']>,
  seed: number,
): readonly Write[] {
  if (cut === 'event') return writes
  const random = createRandom(seed)
  return sameMoments(writes, cut).flatMap(({ bytes, at }) =>
    cutBytes(bytes, cut, random).map((piece) => ({ bytes: piece, at })),
  )
}

function sameMoments(writes: readonly Write[], cut: string | number): readonly Write[] {
  const latest = writes.at(-1)?.at ?? 0
  const moments = new Map<number, Buffer[]>()
  for (const { bytes, at } of writes) {
    const moment = cut === 'whole' ? latest : at
    const together = moments.get(moment)
    if (together) together.push(bytes)
    else moments.set(moment, [bytes])
  }
  return Array.from(moments, ([at, together]) => ({ at, bytes: Buffer.concat(together) }))
}

function cutBytes(bytes: Buffer, cut: string | number, random: Random): readonly Buffer[] {
  if (cut === 'whole') return [bytes]
  return cutInto(bytes, typeof cut === 'number' ? () => cut : () => randomSize(random))
}

/** Pieces of random sizes: inside a code point, between CR and LF, wherever it falls. */
export function cutRandomly(bytes: Buffer, random: Random): readonly Buffer[] {
  return cutInto(bytes, () => randomSize(random))
}

// Mostly a few bytes, at times many, so that both small and large bodies meet every kind of cut.
function randomSize(random: Random): number {
  const kind = random()
  if (kind < 0.6) return 1 + below(random, 4)
  return 1 + below(random, kind < 0.95 ? 48 : 1024)
}

function cutInto(bytes: Buffer, size: () => number): readonly Buffer[] {
  const pieces: Buffer[] = []
  for (let start = 0; start < bytes.length;) {
    const end = start + size()
    pieces.push(bytes.subarray(start, end))
    start = end
  }
  return pieces
}
