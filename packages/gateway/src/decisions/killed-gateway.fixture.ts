import { createRing } from './record-ring.ts'
import { openRecordWriter } from './record-writer.ts'
import { startRecorder } from './recorder.ts'
import { aRecord } from './records.fixture.ts'

/** A gateway that is killed with one exchange ended and one open; it prints their ids before. */
const ring = createRing()
const recorder = startRecorder({
  file: process.argv[2] ?? '',
  rings: [ring],
  retention: null,
  log: { what: 'off', file: null },
})
const worker = openRecordWriter(ring)
const ended = aRecord()
const open = aRecord()
worker.decided(ended)
worker.closed(ended)
worker.decided(open)
await recorder.flush()
process.stdout.write(`${ended.id},${open.id}`, () => process.kill(process.pid, 'SIGKILL'))
