import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { constants, zstdCompressSync } from 'node:zlib'

// A byte ring in shared memory: this thread writes lines, the recorder stores what is between.
const size = 8 * 1024 * 1024
const written = 0
const drained = 1

interface Ring {
  readonly folder: string
  readonly positions: Int32Array
  readonly bytes: SharedArrayBuffer
}

if (!isMainThread) drain(workerData as Ring)

/** Starts the recorder's thread; gives what hands it a line, or drops it when the ring is full. */
export function createRecorder(folder: string): (line: string) => void {
  const positions = new Int32Array(new SharedArrayBuffer(8))
  const bytes = new SharedArrayBuffer(size)
  const buffer = Buffer.from(bytes)
  const recorder = new Worker(new URL(import.meta.url), {
    workerData: { folder, positions, bytes } satisfies Ring,
  })
  recorder.unref()

  return (line) => {
    const from = Atomics.load(positions, written)
    const tail = Atomics.load(positions, drained)
    const free = from >= tail ? size - from : tail - from - 1
    if (free > line.length * 3) {
      Atomics.store(positions, written, from + buffer.write(line, from))
    } else if (from >= tail && tail > 0) {
      buffer.fill('\n', from) // the rest is too short for a line
      Atomics.store(positions, written, 0)
    }
  }
}

function drain({ folder, positions, bytes }: Ring): void {
  const buffer = Buffer.from(bytes)
  const database = new DatabaseSync(join(folder, `steps-${process.pid}.db`))
  database.exec('pragma journal_mode = wal; create table blocks (body blob)')
  const insert = database.prepare('insert into blocks values (?)')
  const params = { [constants.ZSTD_c_compressionLevel]: 1 }

  setInterval(() => {
    const head = Atomics.load(positions, written)
    let tail = Atomics.load(positions, drained)
    while (tail !== head) {
      const end = Math.min(tail + 256 * 1024, head > tail ? head : size)
      insert.run(zstdCompressSync(Buffer.from(buffer.subarray(tail, end)), { params }))
      tail = end === size ? 0 : end
      Atomics.store(positions, drained, tail)
    }
  }, 50)
}
