import { type Block, windowOf } from '../store/decision-blocks.ts'
import { BLOCK_BYTES, packBlock } from './block-body.ts'

/**
 * Lines on their way into the store: gathered by the window of their id, packed when a block is full
 * or when the store is ready for them, bounded in bytes over all.
 */
export interface BlockQueue {
  /** Copies a line; false when the queue is full. */
  add: (id: string, bytes: Buffer, range: { start: number; end: number }) => boolean
  /** Packs what is gathered so far. */
  pack: () => void
  /** The oldest packed blocks; they stay until `remove`. */
  oldest: (count: number) => readonly Block[]
  remove: (count: number) => void
  isEmpty: () => boolean
}

interface Gathering {
  readonly window: string
  raw: Buffer
  used: number
  lines: number
  firstId: string
  lastId: string
}

const FIRST_BYTES = 16 * 1024
/** Windows gathered at a time; one more packs them all. */
const MOST_WINDOWS = 64

export function createBlockQueue(limitBytes: number): BlockQueue {
  const windows = new Map<string, Gathering>()
  const spare: Buffer[] = []
  let packed: Block[] = []
  let packedBytes = 0
  let gatheredBytes = 0
  // Nearly all lines belong to the window of the line before them.
  let current: Gathering | undefined

  function gatheringFor(id: string): Gathering {
    if (current !== undefined && id.startsWith(current.window)) return current
    const window = windowOf(id)
    let found = windows.get(window)
    if (found === undefined) {
      if (windows.size === MOST_WINDOWS) pack()
      const raw = spare.pop() ?? Buffer.allocUnsafeSlow(FIRST_BYTES)
      found = { window, raw, used: 0, lines: 0, firstId: id, lastId: id }
      windows.set(window, found)
    }
    current = found
    return found
  }

  function packOne(gathering: Gathering): void {
    const { firstId, lastId, lines, raw, used } = gathering
    const block = packBlock(raw.subarray(0, used), { firstId, lastId, lines })
    packed.push(block)
    packedBytes += block.body.length
    gatheredBytes -= used
    windows.delete(gathering.window)
    if (current === gathering) current = undefined
    if (spare.length < 2) spare.push(raw)
  }

  function pack(): void {
    for (const gathering of windows.values()) packOne(gathering)
  }

  function makeRoom(gathering: Gathering, length: number): void {
    if (gathering.used + length <= gathering.raw.length) return
    const size = Math.max(gathering.raw.length * 2, gathering.used + length)
    const larger = Buffer.allocUnsafeSlow(size)
    gathering.raw.copy(larger, 0, 0, gathering.used)
    gathering.raw = larger
  }

  return {
    add(id, bytes, { start, end }) {
      const length = end - start + 1
      if (packedBytes + gatheredBytes + length > limitBytes) return false
      let gathering = gatheringFor(id)
      if (gathering.used > 0 && gathering.used + length > BLOCK_BYTES) {
        packOne(gathering)
        gathering = gatheringFor(id)
      }
      makeRoom(gathering, length)
      bytes.copy(gathering.raw, gathering.used, start, end)
      gathering.raw[gathering.used + length - 1] = 0x0a
      gathering.used += length
      gathering.lines += 1
      gatheredBytes += length
      if (id < gathering.firstId) gathering.firstId = id
      if (id > gathering.lastId) gathering.lastId = id
      return true
    },
    pack,
    oldest: (count) => packed.slice(0, count),
    remove(count) {
      for (const { body } of packed.slice(0, count)) packedBytes -= body.length
      packed = packed.slice(count)
    },
    isEmpty: () => packed.length === 0 && windows.size === 0,
  }
}
