import type { BlockQueue } from './block-queue.ts'
import { type ClosedCounts, encodeLost, readClosedCounts, readDecidedHead } from './codec.ts'
import type { DecisionLog } from './decision-log.ts'
import type { ExchangeMetrics } from './metrics.ts'
import { createOpenExchanges, type OpenExchanges } from './open-exchanges.ts'
import { openRingReader, type RingReader } from './record-ring.ts'
import { lineId } from './block-body.ts'

/** Reads the rings: every line is queued for the store, counted, and logged. */
export interface RecordIntake {
  /** Reads what was written so far; the bytes read from the fullest ring. */
  drain: () => number
  /** Reads the last of a dead worker's ring and ends what it left open. */
  workerDied: (index: number, code: string | null) => void
  logTo: (log: DecisionLog, keepsWholeLines: boolean) => void
  /** Lines dropped since the start, by reason. */
  dropped: () => Record<string, number>
}

/** Longer than what stands before the JSON of any line. */
const HEAD_BYTES = 192
const LETTER_D = 0x44

export function createRecordIntake(options: {
  readonly rings: readonly SharedArrayBuffer[]
  readonly queue: BlockQueue
  readonly metrics: ExchangeMetrics
  readonly log: DecisionLog
}): RecordIntake {
  const { queue, metrics } = options
  let { log } = options
  let logs = true
  let queueFull = 0
  let unreadable = 0
  const counts: ClosedCounts = {
    labels: '',
    gatewayMicros: -1,
    firstByteTenths: -1,
    tokens: [-1, -1, -1, -1, -1],
  }
  const sources = options.rings.map((ring) => {
    const open = createOpenExchanges()
    return { reader: openRingReader(ring), open, onFrame: frameReader(open) }
  })

  function frameReader(open: OpenExchanges) {
    return (bytes: Buffer, start: number, end: number): void => {
      try {
        const head = bytes.toString('latin1', start, Math.min(end, start + HEAD_BYTES))
        const id = lineId(head)
        if (!queue.add(id, bytes, { start, end })) queueFull += 1
        if (bytes[start] === LETTER_D)
          open.decided(id, logs ? bytes.toString('utf8', start, end) : head)
        else closed(open.closed(id), logs ? bytes.toString('utf8', start, end) : head)
      } catch {
        // Whatever one line does, the ones behind it must be read.
        unreadable += 1
      }
    }
  }

  function closed(decided: string | undefined, line: string): void {
    readClosedCounts(line, counts)
    metrics.count(counts)
    if (logs) log.add(decided ?? null, line)
  }

  function endAsLost(decided: string, code: string | null): void {
    const line = encodeLost(readDecidedHead(decided), code)
    const bytes = Buffer.from(line)
    if (!queue.add(lineId(line), bytes, { start: 0, end: bytes.length })) queueFull += 1
    closed(decided, line)
  }

  return {
    drain() {
      let most = 0
      for (const { reader, onFrame } of sources) most = Math.max(most, reader.drain(onFrame))
      return most
    },
    workerDied(index, code) {
      const source = sources[index]
      if (source === undefined) return
      source.reader.drain(source.onFrame)
      for (const decided of source.open.takeAll()) endAsLost(decided, code)
    },
    logTo(next, keepsWholeLines) {
      log = next
      logs = keepsWholeLines
    },
    dropped: () => ({
      ...ringDrops(sources.map(({ reader }) => reader)),
      queue_full: queueFull,
      unreadable,
    }),
  }
}

function ringDrops(readers: readonly RingReader[]): Record<string, number> {
  const total = { ring_full: 0, record_too_long: 0 }
  for (const reader of readers) {
    const { ring_full, record_too_long } = reader.drops()
    total.ring_full += ring_full
    total.record_too_long += record_too_long
  }
  return total
}
