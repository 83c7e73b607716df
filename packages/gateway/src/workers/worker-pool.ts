import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import type { Rules } from '../exchange.ts'
import { threadEntry } from '../lib/thread-entry.ts'
import { clearRow, type BoundsTable } from '../pipeline/bounds.ts'
import type { ListenerOptions } from '../pipeline/listen.ts'
import type { DirectoryImage } from '../snapshot/directory.ts'
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts'

export interface WorkerPoolOptions {
  readonly count: number
  readonly address: WorkerStart['address']
  readonly listener: ListenerOptions
  readonly rules: Rules
  readonly directory: DirectoryImage
  readonly bounds: BoundsTable
  /** One for each worker. */
  readonly rings: readonly SharedArrayBuffer[]
  /** A worker ended that was not asked to; its exchanges must be closed before its ring is used again. */
  workerDied(row: number, error: Error | null): Promise<void>
}

export interface WorkerPool {
  /** Hands new rules, a new directory or both to every worker; settles when all have them. */
  configure(change: { rules: Rules | null; directory: DirectoryImage | null }): Promise<void>
  /** Ends all workers, each when its answers are finished or `grace` milliseconds have passed. */
  drain(grace: number): Promise<void>
  /** The threads, by row. */
  readonly threads: readonly Worker[]
}

/**
 * What most exchanges leave behind dies young: more room for it would only be more memory for each
 * worker (188 MB instead of 106, measured with `npm run bench -- --only memory`), and costs caches more than it saves collections.
 */
const youngGenerationMb = 48

/** A worker that dies again and again is restarted at this pace, not in a loop. */
const restartAfterMs = 500

/** Starts the workers and replaces those that die. */
export async function startWorkerPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  // There is a worker for each processor already: helpers would only take turns with them.
  setFlagsFromString('--no-parallel-scavenge')
  const threads: Worker[] = []
  let { rules, directory } = options
  let draining = false
  let changes = 0

  async function startWorker(row: number): Promise<void> {
    const ring = options.rings[row]
    if (ring === undefined) throw new RangeError(`There is no ring for worker ${row}.`)
    const { address, listener, bounds } = options
    const start: WorkerStart = { row, bounds, ring, rules, directory, listener, address }
    const thread = new Worker(threadEntry('./worker', import.meta.url), {
      workerData: start,
      name: `sluice-worker-${row}`,
      resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
    })
    threads[row] = thread
    await listening(thread)
    let failure: Error | null = null
    thread.on('error', (error: Error) => (failure = error))
    thread.on('exit', () => {
      if (!draining) void replace(row, failure)
    })
  }

  async function restart(row: number): Promise<void> {
    if (draining) return
    try {
      await startWorker(row)
    } catch {
      setTimeout(() => void restart(row), restartAfterMs)
    }
  }

  async function replace(row: number, failure: Error | null): Promise<void> {
    clearRow(options.bounds, row)
    await options.workerDied(row, failure)
    await restart(row)
  }

  await Promise.all(options.rings.map((_, row) => startWorker(row)))

  return {
    threads,
    async configure(change) {
      rules = change.rules ?? rules
      directory = change.directory ?? directory
      const message: ToWorker = { kind: 'configure', change: ++changes, ...change }
      await Promise.all(threads.map((thread) => ask(thread, message, isConfigured(changes))))
    },
    async drain(grace) {
      draining = true
      await Promise.all(
        threads.map(async (thread) => {
          await ask(thread, { kind: 'drain', grace }, ({ kind }) => kind === 'drained')
          await thread.terminate()
        }),
      )
    },
  }
}

const isConfigured = (change: number) => (message: FromWorker) =>
  message.kind === 'configured' && message.change === change

/** Settles when the thread has answered, or is gone: a new one begins with what is in force. */
function ask(
  thread: Worker,
  message: ToWorker,
  isAnswer: (message: FromWorker) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    if (hasEnded(thread)) {
      resolve()
      return
    }
    const done = () => {
      thread.off('message', onMessage)
      thread.off('exit', done)
      resolve()
    }
    const onMessage = (answer: FromWorker) => {
      if (isAnswer(answer)) done()
    }
    thread.on('message', onMessage)
    thread.on('exit', done)
    thread.postMessage(message)
  })
}

function hasEnded(thread: Worker): boolean {
  return thread.threadId === -1
}

function listening(thread: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number) => reject(new Error(`A worker ended at its start (${code}).`))
    thread.once('error', reject)
    thread.once('exit', onExit)
    thread.once('message', (message: FromWorker) => {
      thread.off('error', reject)
      thread.off('exit', onExit)
      if (message.kind === 'listening') resolve()
      else
        reject(new Error(message.kind === 'failed' ? message.message : 'A worker did not start.'))
    })
  })
}
