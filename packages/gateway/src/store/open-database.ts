import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface OpenDatabaseOptions {
  /** SQL of each version, oldest first; never changed once released, only added to. */
  readonly migrations: readonly string[]
  /** How long a statement waits for another process's lock, in milliseconds. */
  readonly busyTimeout: number
}

/**
 * Opens a database of ours, made when it is not there: WAL, so that readers and the writer do not
 * wait for each other, and one fsync per checkpoint rather than per commit.
 */
export function openDatabase(file: string, options: OpenDatabaseOptions): DatabaseSync {
  createPrivately(file)
  const database = new DatabaseSync(file, { timeout: options.busyTimeout })
  try {
    database.exec(`
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA journal_size_limit = 16777216;
      PRAGMA foreign_keys = ON;
    `)
    migrate(database, options.migrations)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Opens a database that another process may be writing; never changes it. */
export function openReadOnly(file: string, busyTimeout: number): DatabaseSync {
  return new DatabaseSync(file, { readOnly: true, timeout: busyTimeout })
}

/** All or nothing. */
export function inTransaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** Where the decision records of a store lie: beside it, since SQLite has one writer per file. */
export function decisionsFile(storeFile: string): string {
  return `${storeFile.replace(/\.db$/, '')}.decisions.db`
}

/** Only the owner may read. SQLite gives the files that it puts beside it the same mode. */
export function createPrivately(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  // Never opened when it exists: closing a file drops the locks that this process holds on it.
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
}

function migrate(database: DatabaseSync, migrations: readonly string[]): void {
  if (version(database) === migrations.length) return
  inTransaction(database, () => {
    const from = version(database)
    if (from > migrations.length) {
      throw new Error(
        `The database is of version ${from}, this Sluice knows ${migrations.length}. Use a newer Sluice.`,
      )
    }
    for (const sql of migrations.slice(from)) database.exec(sql)
    database.exec(`PRAGMA user_version = ${migrations.length}`)
  })
}

/** 0 when nothing has been put into it yet. */
export function version(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
}
