/**
 * A byte ring in shared memory, one per worker: the worker writes, the recorder reads, neither ever
 * waits for the other. A frame is its length (4 bytes) and its bytes, padded to 4; it never wraps
 * around the end. `head` moves only after the bytes are there, so a worker that dies in the middle
 * of a write leaves no half frame.
 */

/** Positions in the header, in 32-bit words; head and tail are on cache lines of their own. */
const HEAD = 0
const TAIL = 16
const DROPPED_FULL = 32
const DROPPED_TOO_LONG = 33
const HEADER_BYTES = 192
/** Instead of a length: nothing more before the end of the ring. */
const SKIP = 0xffffffff

const DEFAULT_RING_BYTES = 4 * 1024 * 1024

export interface RingDrops {
  readonly ring_full: number
  readonly record_too_long: number
}

export interface RingWriter {
  /**
   * False when there is no room, which is counted. Frames may be asked to leave `keepFree` bytes, so
   * that what must follow them (the end of what they begin) still finds room.
   */
  write: (text: string, keepFree?: number) => boolean
}

export interface RingReader {
  /** Hands over each frame written so far, at most `limit` bytes; a frame is valid only during the call. */
  drain: (onFrame: (bytes: Buffer, start: number, end: number) => void, limit?: number) => number
  /** How many frames were dropped since the ring was made. */
  drops: () => RingDrops
}

/** `capacity` is a power of two. */
export function createRing(capacity: number = DEFAULT_RING_BYTES): SharedArrayBuffer {
  if (capacity < 1024 || capacity > 2 ** 30 || (capacity & (capacity - 1)) !== 0) {
    throw new RangeError(`A ring holds a power of two of bytes, at least 1024; not ${capacity}.`)
  }
  return new SharedArrayBuffer(HEADER_BYTES + capacity)
}

export function openRingWriter(buffer: SharedArrayBuffer): RingWriter {
  const header = new Int32Array(buffer, 0, HEADER_BYTES / 4)
  const lengths = new Uint32Array(buffer, HEADER_BYTES)
  const bytes = Buffer.from(buffer, HEADER_BYTES)
  const capacity = bytes.length
  const mask = capacity - 1
  const longest = capacity / 4
  // Only this thread moves the head; the tail is looked up again only when the ring seems full.
  let head = Atomics.load(header, HEAD) >>> 0
  let tail = Atomics.load(header, TAIL) >>> 0

  function room(): number {
    return capacity - ((head - tail) >>> 0)
  }

  function hasRoom(needed: number): boolean {
    if (room() >= needed) return true
    tail = Atomics.load(header, TAIL) >>> 0
    return room() >= needed
  }

  function drop(reason: number): false {
    Atomics.add(header, reason, 1)
    return false
  }

  return {
    write(text, keepFree = 0) {
      // Three bytes for each UTF-16 unit is the most that UTF-8 takes: cheap, and seldom wrong.
      let most = text.length * 3
      let at = head & mask
      let skipped = 0
      if (most > longest || capacity - at < most + 4 || !hasRoom(most + 8 + keepFree)) {
        most = Buffer.byteLength(text)
        if (most > longest) return drop(DROPPED_TOO_LONG)
        skipped = capacity - at < most + 4 ? capacity - at : 0
        if (!hasRoom(skipped + most + 8 + keepFree)) return drop(DROPPED_FULL)
        if (skipped > 0) {
          lengths[at >>> 2] = SKIP
          at = 0
        }
      }

      const length = bytes.write(text, at + 4, 'utf8')
      lengths[at >>> 2] = length
      head = (head + skipped + 4 + length + (-length & 3)) >>> 0
      Atomics.store(header, HEAD, head | 0)
      return true
    },
  }
}

export function openRingReader(buffer: SharedArrayBuffer): RingReader {
  const header = new Int32Array(buffer, 0, HEADER_BYTES / 4)
  const lengths = new Uint32Array(buffer, HEADER_BYTES)
  const bytes = Buffer.from(buffer, HEADER_BYTES)
  const mask = bytes.length - 1

  return {
    drain(onFrame, limit = bytes.length) {
      const begin = Atomics.load(header, TAIL) >>> 0
      const head = Atomics.load(header, HEAD) >>> 0
      let tail = begin
      while (tail !== head && (tail - begin) >>> 0 < limit) {
        const at = tail & mask
        const length = lengths[at >>> 2] ?? SKIP
        if (length === SKIP) {
          tail = (tail + bytes.length - at) >>> 0
          continue
        }
        onFrame(bytes, at + 4, at + 4 + length)
        tail = (tail + 4 + length + (-length & 3)) >>> 0
      }
      if (tail !== begin) Atomics.store(header, TAIL, tail | 0)
      return (tail - begin) >>> 0
    },

    drops: () => ({
      ring_full: Atomics.load(header, DROPPED_FULL) >>> 0,
      record_too_long: Atomics.load(header, DROPPED_TOO_LONG) >>> 0,
    }),
  }
}
