import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { createBlockQueue } from './block-queue.ts'
import { createBlockWriter } from './block-writer.ts'
import { encodeClosed, encodeDecided } from './codec.ts'
import { findDecision } from './find-decision.ts'
import { aRecord } from './records.fixture.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

function aWriter() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-blocks-'))
  const file = join(folder, 'sluice.decisions.db')
  const queue = createBlockQueue(1024 * 1024)
  const writer = createBlockWriter({
    file,
    run: { id: 'run-1', node: 'node-1', startedAt: 0 },
    queue,
  })
  onTestFinished(() => {
    writer.close(0)
    rmSync(folder, { recursive: true, force: true })
  })
  const add = (id: string, line: string) => {
    const bytes = Buffer.from(line)
    expect(queue.add(id, bytes, { start: 0, end: bytes.length })).toBe(true)
  }
  return { file, writer, add }
}

function countBlocks(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  const count = Number(database.prepare('SELECT count(*) AS count FROM blocks').get()?.['count'])
  database.close()
  return count
}

test('small blocks become one per window, and every record stays readable', () => {
  const { file, writer, add } = aWriter()
  const begin = Date.UTC(2026, 0, 1)
  const records = Array.from({ length: 200 }, (_, index) =>
    aRecord({ startedAt: begin + index * 700 }),
  )
  for (const [index, record] of records.entries()) {
    add(record.id, encodeDecided(record))
    // Each ends after the ten that began behind it, in another block.
    const ended = records[index - 10]
    if (ended !== undefined) add(ended.id, encodeClosed(ended))
    writer.write(begin + index, 0)
  }
  expect(countBlocks(file)).toBeGreaterThan(200)

  let steps = 0
  while (writer.tidy(begin + HOUR, null)) steps += 1
  expect(countBlocks(file)).toBeLessThan(10)
  expect(steps).toBeLessThan(50)
  const outcomes = records.map(({ id }) => findDecision(file, id)?.record.outcome)
  expect(outcomes.slice(0, 190).every((outcome) => outcome === 'completed')).toBe(true)
  expect(outcomes.slice(190).every((outcome) => outcome === null)).toBe(true)
})

test('what is older than the retention goes, by the time at which it began', () => {
  const { file, writer, add } = aWriter()
  const now = Date.UTC(2026, 0, 31)
  const old = aRecord({ startedAt: now - 2 * DAY })
  const young = aRecord({ startedAt: now - HOUR })
  for (const record of [old, young]) add(record.id, encodeDecided(record))
  writer.write(now, 0)
  while (writer.tidy(now, DAY)) continue

  expect(findDecision(file, old.id)).toBeNull()
  expect(findDecision(file, young.id)).not.toBeNull()
})

test('a record whose first half was dropped says so', () => {
  const { file, writer, add } = aWriter()
  const record = aRecord()
  add(record.id, encodeClosed(record))
  writer.write(0, 7)
  expect(findDecision(file, record.id)).toMatchObject({
    isBeginningLost: true,
    dropped: 7,
    record: { outcome: 'completed', principal: null },
  })
})
