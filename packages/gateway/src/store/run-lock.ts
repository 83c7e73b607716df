import { DatabaseSync } from 'node:sqlite'
import { existsSync } from 'node:fs'
import { createPrivately } from './open-database.ts'
import { storeFault } from './store-fault.ts'

/**
 * Says whether a gateway is using a store: it holds an SQLite lock on a file beside it for as long
 * as it lives. The operating system takes the lock back however the process ends, so that nobody
 * has to guess from process ids, which are used again and differ between containers.
 */
export interface RunLock {
  close: () => void
}

/** Null when another gateway holds it. */
export function takeRunLock(decisionsFile: string): RunLock | null {
  const file = lockFile(decisionsFile)
  createPrivately(file)
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    // Not WAL, where a writer does not keep readers out: being kept out is the sign.
    database.exec('BEGIN EXCLUSIVE')
    return { close: () => database.close() }
  } catch (error) {
    database.close()
    if (storeFault(error) === 'store_locked') return null
    throw error
  }
}

export function isRunLockHeld(decisionsFile: string): boolean {
  const file = lockFile(decisionsFile)
  if (!existsSync(file)) return false
  const database = new DatabaseSync(file, { readOnly: true, timeout: 0 })
  try {
    database.prepare('SELECT count(*) FROM sqlite_schema').get()
    return false
  } catch (error) {
    if (storeFault(error) === 'store_locked') return true
    throw error
  } finally {
    database.close()
  }
}

function lockFile(decisionsFile: string): string {
  return `${decisionsFile}-run`
}
