import { createRing } from './record-ring.ts'
import { openRecordWriter } from './record-writer.ts'
import { startRecorder } from './recorder.ts'
import { aRecord } from './records.fixture.ts'

/**
 * A gateway that logs more to standard output than fits, and ends. On standard error it says the id
 * of its last record and how many log lines were dropped.
 */
const ring = createRing()
const recorder = startRecorder({
  file: process.argv[2] ?? '',
  rings: [ring],
  retention: null,
  log: { what: 'all', file: null },
})
const worker = openRecordWriter(ring)
let last = ''
for (let round = 0; round < 10; round++) {
  for (let count = 0; count < 2_000; count++) {
    const record = aRecord()
    worker.decided(record)
    worker.closed(record)
    last = record.id
  }
  await recorder.flush()
}
const text = await recorder.metrics({ exchangesInFlight: 0, unparsableRequests: 0 })
const dropped = /reason="log_full"\} (\d+)/.exec(text)?.[1] ?? ''
await recorder.close()
process.stderr.write(`${last},${dropped}`)
