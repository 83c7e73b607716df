import type { DecisionRecord } from '../exchange.ts'
import { encodeClosed, encodeDecided } from './codec.ts'
import { openRingWriter } from './record-ring.ts'

/** A worker's end of the records: encodes into its ring, never waits, never throws. */
export interface RecordWriter {
  /** Before the upstream is called, or before the refusal is sent. False: dropped and counted. */
  decided: (record: DecisionRecord) => boolean
  /** Once, at the end of an exchange whose `decided` was written or dropped. */
  closed: (record: DecisionRecord) => boolean
}

/**
 * A quarter of the ring is kept for ends: an exchange whose first half was dropped still leaves its
 * second half (verdict, outcome, tokens, times), while the contrary would look open for ever.
 */
export function openRecordWriter(ring: SharedArrayBuffer): RecordWriter {
  const writer = openRingWriter(ring)
  const keptForEnds = Math.floor(ring.byteLength / 4)
  return {
    decided: (record) => writer.write(encodeDecided(record), keptForEnds),
    closed: (record) => writer.write(encodeClosed(record)),
  }
}
