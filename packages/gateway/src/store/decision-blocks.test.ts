import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { uuidv7 } from '../lib/ids.ts'
import { type Block, findDecisionBlocks, openDecisionBlocks, windowOf } from './decision-blocks.ts'
import { decisionsFile } from './open-database.ts'
import { isRunLockHeld, takeRunLock } from './run-lock.ts'

const HOUR = 3_600_000
const start = Date.UTC(2026, 0, 1)

function aStore() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-store-'))
  const file = join(folder, 'new', 'sluice.decisions.db')
  const store = openDecisionBlocks(file)
  onTestFinished(() => {
    store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  store.startRun({ id: 'run-1', node: 'node-1', startedAt: start })
  return { file, store }
}

function aBlock(times: readonly number[], bytes = 100): Block {
  const ids = times.map(uuidv7).sort()
  return {
    firstId: ids[0] ?? '',
    lastId: ids.at(-1) ?? '',
    lines: ids.length,
    codec: 1,
    rawBytes: bytes,
    body: Buffer.alloc(bytes, 1),
  }
}

test('finds the blocks whose range holds an id, and no others', () => {
  const { file, store } = aStore()
  const wide = aBlock([start, start + 30_000])
  const narrow = aBlock([start + 10_000, start + 12_000])
  const later = aBlock([start + HOUR])
  store.insert('run-1', [wide, narrow, later], 0)

  const found = (id: string) => findDecisionBlocks(file, id).blocks.map(({ firstId }) => firstId)
  expect(found(uuidv7(start + 11_000))).toEqual([wide.firstId, narrow.firstId])
  expect(found(uuidv7(start + 20_000))).toEqual([wide.firstId])
  expect(found(later.lastId)).toEqual([later.firstId])
  expect(found(uuidv7(start + 2 * HOUR))).toEqual([])
  expect(findDecisionBlocks(file, later.lastId).runs.get('run-1')).toMatchObject({ node: 'node-1' })
})

test('a search looks at one window only, however much is stored', () => {
  const { file, store } = aStore()
  const blocks = Array.from({ length: 2000 }, (_, index) => aBlock([start + index * 65_536]))
  store.insert('run-1', blocks, 0)

  const database = new DatabaseSync(file, { readOnly: true })
  const plan = database
    .prepare(
      'EXPLAIN QUERY PLAN SELECT * FROM blocks WHERE first_id >= ? AND first_id <= ? AND last_id >= ?',
    )
    .all('a', 'b', 'c')
  database.close()
  expect(JSON.stringify(plan)).toContain('USING INDEX blocks_by_id (first_id>? AND first_id<?)')
  expect(findDecisionBlocks(file, blocks[1000]?.firstId ?? '').blocks).toHaveLength(1)
})

test('offers small blocks of one window for merging, and none twice', () => {
  const { store } = aStore()
  const base = Number.parseInt(`${windowOf(uuidv7(start))}0000`, 16)
  const small = Array.from({ length: 5 }, (_, index) => aBlock([base + index]))
  const large = aBlock([base + 10], 200_000)
  const nextWindow = aBlock([base + 65_536])
  store.insert('run-1', [...small, large, nextWindow], 0)
  const before = uuidv7(start + HOUR)
  const limit = { blocks: 64, bytes: 262_144 }

  const offered = store.mergeable(before, limit)
  expect(offered.map(({ firstId }) => firstId)).toEqual(small.map(({ firstId }) => firstId))
  store.replace(offered, aBlock([base, base + 4], 500))

  for (let step = 0; step < 5; step++) expect(store.mergeable(before, limit)).toEqual([])
})

test('removes old blocks in bounded steps, and the file shrinks', () => {
  const { file, store } = aStore()
  const old = Array.from({ length: 50 }, (_, index) => aBlock([start + index * 65_536], 50_000))
  const young = aBlock([start + 100 * HOUR])
  store.insert('run-1', [...old, young], 0)
  checkpoint(file)
  const before = statSync(file).size

  const window = windowOf(uuidv7(start + 99 * HOUR))
  expect(store.removeBefore(window, 30)).toBe(30)
  expect(store.removeBefore(window, 30)).toBe(20)
  expect(store.removeBefore(window, 30)).toBe(0)
  checkpoint(file)
  expect(statSync(file).size).toBeLessThan(before / 2)
  expect(findDecisionBlocks(file, young.firstId).blocks).toHaveLength(1)
})

function checkpoint(file: string): void {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
}

test('notices that its file was deleted', () => {
  const { file, store } = aStore()
  expect(store.isInPlace()).toBe(true)
  rmSync(file)
  expect(store.isInPlace()).toBe(false)
})

test('refuses a database that a newer Sluice has made', () => {
  const { file, store } = aStore()
  const database = new DatabaseSync(file)
  database.exec('PRAGMA user_version = 99')
  database.close()
  expect(() => openDecisionBlocks(file)).toThrow(/version 99.*newer Sluice/)
  expect(store.isInPlace()).toBe(true)
})

test('only one gateway holds the run lock, and whoever asks can tell', () => {
  const { file } = aStore()
  expect(isRunLockHeld(file)).toBe(false)
  const lock = takeRunLock(file)
  expect(lock).not.toBeNull()
  expect(isRunLockHeld(file)).toBe(true)
  expect(takeRunLock(file)).toBeNull()

  lock?.close()
  expect(isRunLockHeld(file)).toBe(false)
})

test('keeps the decision records beside the store', () => {
  expect(decisionsFile('./data/sluice.db')).toBe('./data/sluice.decisions.db')
  expect(decisionsFile('/var/lib/store')).toBe('/var/lib/store.decisions.db')
  expect(existsSync('/var/lib/store.decisions.db')).toBe(false)
})
