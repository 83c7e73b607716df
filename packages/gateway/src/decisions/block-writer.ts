import { idPrefix } from './record-id.ts'
import { mergeBlocks, BLOCK_BYTES } from './block-body.ts'
import type { BlockQueue } from './block-queue.ts'
import {
  type DecisionBlocks,
  openDecisionBlocks,
  type Run,
  windowOf,
} from '../store/decision-blocks.ts'
import { type RunLock, takeRunLock } from '../store/run-lock.ts'
import { type StoreFault, storeFault } from '../store/store-fault.ts'

/** Work on the store is done in steps, so that the rings are looked at in between. */
const BLOCKS_PER_STEP = 32
const MERGED_PER_STEP = 64
const REMOVED_PER_STEP = 64
/** Most exchanges of a window have ended by then: merging earlier would mean merging again. */
const SETTLED_AFTER_MS = 150_000
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 5_000

/**
 * Takes blocks from the queue into the store. The store may be locked, full, unwritable or deleted:
 * then the queue keeps what it can, and the writer tries again, less and less often.
 */
export interface BlockWriter {
  /** Writes what waits, if the store may be tried at this time. */
  write: (now: number, dropped: number) => void
  /** One bounded step of merging and removing; true when there may be more to do. */
  tidy: (now: number, retention: number | null) => boolean
  /** Why the store is not what it should be, in words for `/readyz`. */
  faults: () => (StoreFault | 'store_shared')[]
  close: (now: number) => void
}

export function createBlockWriter(options: {
  readonly file: string
  readonly run: Run
  readonly queue: BlockQueue
}): BlockWriter {
  const { file, run, queue } = options
  let store: DecisionBlocks | undefined
  let lock: RunLock | null = null
  let fault: StoreFault | null = null
  let retryAt = 0
  let retryAfter = FIRST_RETRY_MS

  function open(now: number): DecisionBlocks {
    if (store?.isInPlace() === false) closeStore()
    if (store !== undefined) return store

    const opened = openDecisionBlocks(file)
    try {
      opened.startRun(run)
      takeLock(opened, now)
    } catch (error) {
      opened.close()
      throw error
    }
    store = opened
    return opened
  }

  /** Who holds the lock knows that no other run is alive. */
  function takeLock(opened: DecisionBlocks, now: number): void {
    if (lock !== null) return
    lock = takeRunLock(file)
    if (lock !== null) opened.endOtherRuns(run.id, now)
  }

  function closeStore(): void {
    store?.close()
    store = undefined
  }

  function attempt(now: number, work: (store: DecisionBlocks) => void): boolean {
    if (now < retryAt) return false
    try {
      work(open(now))
      fault = null
      retryAfter = FIRST_RETRY_MS
      return true
    } catch (error) {
      fault = storeFault(error)
      retryAt = now + retryAfter
      retryAfter = Math.min(retryAfter * 2, LAST_RETRY_MS)
      // Whatever is wrong with it, a store opened anew may be better; a locked one is only busy.
      if (fault !== 'store_locked') closeStore()
      return false
    }
  }

  function writeAll(now: number, dropped: number): void {
    attempt(now, (store) => {
      queue.pack()
      for (;;) {
        const blocks = queue.oldest(BLOCKS_PER_STEP)
        if (blocks.length === 0) return
        store.insert(run.id, blocks, dropped)
        queue.remove(blocks.length)
      }
    })
  }

  return {
    write(now, dropped) {
      // With a fault it is tried also when nothing waits: so that it is known when it is over.
      if (!queue.isEmpty() || fault !== null || store === undefined) writeAll(now, dropped)
    },

    tidy(now, retention) {
      let more = false
      attempt(now, (store) => {
        takeLock(store, now)
        if (retention !== null) {
          const before = windowOf(idPrefix(now - retention))
          more = store.removeBefore(before, REMOVED_PER_STEP) === REMOVED_PER_STEP
        }
        const small = store.mergeable(idPrefix(now - SETTLED_AFTER_MS), {
          blocks: MERGED_PER_STEP,
          bytes: BLOCK_BYTES,
        })
        if (small.length > 0) store.replace(small, mergeBlocks(small))
        more ||= small.length > 0
      })
      return more
    },

    faults: () => [
      ...(fault === null ? [] : [fault]),
      ...(store !== undefined && lock === null ? (['store_shared'] as const) : []),
    ],

    close(now) {
      attempt(now, (store) => store.endRun(run.id, now))
      closeStore()
      lock?.close()
    },
  }
}
