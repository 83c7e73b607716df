import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { threadEntry } from '../lib/thread-entry.ts'
import { createRing, openRingReader, openRingWriter } from './record-ring.ts'

function readAll(ring: SharedArrayBuffer): string[] {
  const frames: string[] = []
  openRingReader(ring).drain((bytes, start, end) => {
    frames.push(bytes.toString('utf8', start, end))
  })
  return frames
}

test('hands over every frame that it accepted, once and in order, and counts the others', () => {
  const frame = fc.string({ unit: 'grapheme', maxLength: 300 })
  fc.assert(
    fc.property(fc.array(fc.oneof(frame, fc.constant(null))), (actions) => {
      const ring = createRing(1024)
      const writer = openRingWriter(ring)
      const accepted: string[] = []
      const read: string[] = []
      let refused = 0
      for (const action of actions) {
        if (action === null) read.push(...readAll(ring))
        else if (writer.write(action)) accepted.push(action)
        else refused += 1
      }
      read.push(...readAll(ring))

      expect(read).toEqual(accepted)
      const { ring_full, record_too_long } = openRingReader(ring).drops()
      expect(ring_full + record_too_long).toBe(refused)
    }),
  )
})

test('refuses and counts what does not fit, and works again once it was read', () => {
  const ring = createRing(1024)
  const writer = openRingWriter(ring)
  let written = 0
  while (writer.write('x'.repeat(200))) written += 1
  expect(writer.write('y'.repeat(5000))).toBe(false)
  expect(openRingReader(ring).drops()).toEqual({ ring_full: 1, record_too_long: 1 })

  expect(readAll(ring)).toHaveLength(written)
  expect(writer.write('again')).toBe(true)
  expect(readAll(ring)).toEqual(['again'])
})

test('keeps room for the ends of what has begun', () => {
  const ring = createRing(1024)
  const writer = openRingWriter(ring)
  while (writer.write('beginning '.repeat(10), 256)) continue
  expect(writer.write('end')).toBe(true)
})

test('a frame counts only once it is whole', () => {
  const ring = createRing(1024)
  const writer = openRingWriter(ring)
  writer.write('whole')
  // A worker that dies after the bytes and before the head: as if it had written over free space.
  Buffer.from(ring).fill(0xff, 192 + 64)
  expect(readAll(ring)).toEqual(['whole'])
})

test('what one thread writes another reads, also after the writer has died; a new one goes on', async () => {
  const ring = createRing(4096)
  const reader = openRingReader(ring)
  const frames: string[] = []
  const read = () =>
    reader.drain((bytes, start, end) => {
      frames.push(bytes.toString('utf8', start, end))
    })
  const reading = setInterval(read, 0)

  for (let life = 0; life < 2; life++) {
    const writer = new Worker(threadEntry('./ring-writer.fixture', import.meta.url), {
      workerData: { ring, frames: 20_000 },
    })
    await once(writer, 'exit')
  }
  clearInterval(reading)
  read()

  const expected = Array.from(
    { length: 20_000 },
    (_, frame) => `${frame}:${'x'.repeat(frame % 97)}`,
  )
  expect(frames).toEqual([...expected, ...expected])
})
