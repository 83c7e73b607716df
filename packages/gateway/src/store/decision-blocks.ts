import { statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { inTransaction, openDatabase, openReadOnly, version } from './open-database.ts'

const migrations = [
  `
  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    dropped INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL REFERENCES runs (id),
    first_id TEXT NOT NULL,
    last_id TEXT NOT NULL,
    lines INTEGER NOT NULL,
    codec INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX blocks_by_id ON blocks (first_id, last_id);
  CREATE INDEX blocks_to_settle ON blocks (first_id) WHERE settled = 0;
  `,
]

/** One life of a gateway process. */
export interface Run {
  readonly id: string
  readonly node: string
  readonly startedAt: number
}

export interface StoredRun extends Run {
  readonly endedAt: number | null
  /** Lines that were dropped so far. */
  readonly dropped: number
}

/**
 * Lines of exchanges of one window: their ids begin with the same 8 digits (65.5 seconds), so that
 * however late an exchange ends, a block spans no more time than that.
 */
export interface Block {
  readonly firstId: string
  readonly lastId: string
  readonly lines: number
  readonly codec: number
  readonly rawBytes: number
  readonly body: Uint8Array
}

export interface StoredBlock extends Block {
  readonly id: number
  readonly run: string
}

/** The digits that the ids of a window have in common. */
export function windowOf(id: string): string {
  return id.slice(0, 8)
}

export interface DecisionBlocks {
  startRun: (run: Run) => void
  /** Every run but this one is over. */
  endOtherRuns: (run: string, now: number) => void
  endRun: (run: string, now: number) => void
  insert: (run: string, blocks: readonly Block[], dropped: number) => void
  /** The next blocks that are worth merging: all of one window and run, at most `limit.bytes` unpacked. */
  mergeable: (before: string, limit: { blocks: number; bytes: number }) => StoredBlock[]
  /** Puts one block in the place of several; the result is not looked at again until it has company. */
  replace: (blocks: readonly StoredBlock[], merged: Block) => void
  /** Removes at most `limit` blocks whose window lies before, and gives their pages back. */
  removeBefore: (window: string, limit: number) => number
  /** False when the file has been deleted or replaced under us, which SQLite does not notice. */
  isInPlace: () => boolean
  close: () => void
}

export function openDecisionBlocks(file: string): DecisionBlocks {
  // The recorder must not stand still: who finds the file locked comes back later.
  const database = openDatabase(file, { migrations, busyTimeout: 0 })
  const place = statSync(file).ino
  const sql = prepareStatements(database)

  return {
    startRun({ id, node, startedAt }) {
      sql.startRun.run(id, node, startedAt)
    },
    endOtherRuns(run, now) {
      sql.endOtherRuns.run(now, run)
    },
    endRun(run, now) {
      sql.endRun.run(now, run)
    },

    insert(run, blocks, dropped) {
      inTransaction(database, () => {
        for (const block of blocks) sql.insert.run(...values(run, block), 0)
        sql.setDropped.run(dropped, run, dropped)
      })
    },

    mergeable(before, limit) {
      const next = sql.firstToSettle.get(before)
      if (next === undefined) return []
      const [window, run, codec] = [
        String(next['window']),
        String(next['run']),
        Number(next['codec']),
      ]
      const found: StoredBlock[] = []
      let bytes = 0
      const small = limit.bytes / 2
      for (const row of sql.ofWindow.iterate(
        window,
        nextWindow(window),
        run,
        codec,
        small,
        limit.blocks,
      )) {
        const block = toBlock(row)
        bytes += block.rawBytes
        if (bytes > limit.bytes) break
        found.push(block)
      }
      if (found.length > 1) return found

      sql.settle.run(Number(next['id']))
      return []
    },

    replace(blocks, merged) {
      inTransaction(database, () => {
        for (const { id } of blocks) sql.remove.run(id)
        sql.insert.run(...values(blocks[0]?.run ?? '', merged), 1)
      })
    },

    removeBefore(window, limit) {
      const { changes } = sql.removeBefore.run(window, limit)
      if (Number(changes) > 0) database.exec('PRAGMA incremental_vacuum(1024)')
      return Number(changes)
    },

    isInPlace: () => statSync(file, { throwIfNoEntry: false })?.ino === place,
    close: () => database.close(),
  }
}

export interface FoundBlocks {
  readonly blocks: readonly StoredBlock[]
  readonly runs: ReadonlyMap<string, StoredRun>
}

/** The blocks that may hold lines of this id. Reads only, also while a gateway writes. */
export function findDecisionBlocks(file: string, id: string): FoundBlocks {
  const database = openReadOnly(file, 1000)
  try {
    if (version(database) === 0) return { blocks: [], runs: new Map() }
    const blocks = database
      .prepare(
        'SELECT * FROM blocks WHERE first_id >= ? AND first_id <= ? AND last_id >= ? ORDER BY id',
      )
      .all(windowOf(id), id, id)
      .map(toBlock)
    const run = database.prepare('SELECT * FROM runs WHERE id = ?')
    const runs = new Map(
      [...new Set(blocks.map((block) => block.run))].flatMap((id) => {
        const row = run.get(id)
        return row === undefined ? [] : [[id, toRun(row)] as const]
      }),
    )
    return { blocks, runs }
  } finally {
    database.close()
  }
}

function prepareStatements(database: DatabaseSync) {
  return {
    startRun: database.prepare(
      'INSERT OR IGNORE INTO runs (id, node, started_at) VALUES (?, ?, ?)',
    ),
    endOtherRuns: database.prepare(
      'UPDATE runs SET ended_at = ? WHERE ended_at IS NULL AND id <> ?',
    ),
    endRun: database.prepare('UPDATE runs SET ended_at = ? WHERE id = ?'),
    setDropped: database.prepare('UPDATE runs SET dropped = ? WHERE id = ? AND dropped <> ?'),
    insert: database.prepare(
      'INSERT INTO blocks (run, first_id, last_id, lines, codec, raw_bytes, body, settled) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    firstToSettle: database.prepare(
      'SELECT id, run, codec, substr(first_id, 1, 8) AS window FROM blocks WHERE settled = 0 AND first_id < ? ORDER BY first_id LIMIT 1',
    ),
    ofWindow: database.prepare(
      'SELECT * FROM blocks WHERE first_id >= ? AND first_id < ? AND run = ? AND codec = ? AND raw_bytes < ? ORDER BY first_id LIMIT ?',
    ),
    settle: database.prepare('UPDATE blocks SET settled = 1 WHERE id = ?'),
    remove: database.prepare('DELETE FROM blocks WHERE id = ?'),
    removeBefore: database.prepare(
      'DELETE FROM blocks WHERE id IN (SELECT id FROM blocks WHERE first_id < ? ORDER BY first_id LIMIT ?)',
    ),
  }
}

function nextWindow(window: string): string {
  return (Number.parseInt(window, 16) + 1).toString(16).padStart(8, '0')
}

function values(run: string, block: Block) {
  const { firstId, lastId, lines, codec, rawBytes, body } = block
  return [run, firstId, lastId, lines, codec, rawBytes, body] as const
}

function toBlock(row: Record<string, unknown>): StoredBlock {
  return {
    id: Number(row['id']),
    run: String(row['run']),
    firstId: String(row['first_id']),
    lastId: String(row['last_id']),
    lines: Number(row['lines']),
    codec: Number(row['codec']),
    rawBytes: Number(row['raw_bytes']),
    body: row['body'] as Uint8Array,
  }
}

function toRun(row: Record<string, unknown>): StoredRun {
  return {
    id: String(row['id']),
    node: String(row['node']),
    startedAt: Number(row['started_at']),
    endedAt: row['ended_at'] === null ? null : Number(row['ended_at']),
    dropped: Number(row['dropped']),
  }
}
