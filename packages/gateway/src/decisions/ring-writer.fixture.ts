import { workerData } from 'node:worker_threads'
import { openRingWriter } from './record-ring.ts'

/** A thread that writes numbered frames, waiting for room, and then dies without saying goodbye. */
const { ring, frames } = workerData as { ring: SharedArrayBuffer; frames: number }
const writer = openRingWriter(ring)
const pause = new Int32Array(new SharedArrayBuffer(4))

for (let frame = 0; frame < frames; frame++) {
  while (!writer.write(`${frame}:${'x'.repeat(frame % 97)}`)) Atomics.wait(pause, 0, 0, 1)
}
