import { closeSync, constants, fstatSync, mkdirSync, openSync, write } from 'node:fs'
import { dirname } from 'node:path'
import { CODEC_VERSION, decode, readClosedHead } from './codec.ts'

export interface DecisionLogOptions {
  readonly what: 'off' | 'refusals' | 'all'
  /** Null: standard output. */
  readonly file: string | null
}

/**
 * One JSON line per decision that ended. Written in batches and never waited for: a reader that
 * stands still or a full disk costs lines, which are counted, and nothing else.
 */
export interface DecisionLog {
  add: (decided: string | null, closed: string) => void
  /** Begins to write what has gathered, unless the last write is still under way. */
  flush: () => void
  dropped: () => number
  fault: () => 'log_unwritable' | null
  /** Something waits to be written. */
  isBusy: () => boolean
  close: () => void
}

const MOST_BYTES = 4 * 1024 * 1024
const RETRY_MS = 1000

export function openDecisionLog(options: DecisionLogOptions): DecisionLog {
  let lines: string[] = []
  let waiting = 0
  let dropped = 0
  let batch: Buffer | null = null
  let descriptor: number | null = null
  let isWriting = false
  let isClosed = false
  let failedAt: number | null = null

  function startBatch(): void {
    if (batch !== null || lines.length === 0) return
    batch = Buffer.from(lines.join(''))
    lines = []
    waiting = batch.length
  }

  function fail(): void {
    failedAt = Date.now()
  }

  function writeBatch(): void {
    if (isWriting || batch === null) return
    if (failedAt !== null && Date.now() - failedAt < RETRY_MS) return
    try {
      descriptor ??= options.file === null ? openStandardOutput() : openForAppend(options.file)
    } catch {
      fail()
      return
    }
    isWriting = true
    write(descriptor, batch, 0, batch.length, null, onWritten)
  }

  function onWritten(error: NodeJS.ErrnoException | null, written: number): void {
    isWriting = false
    // A reader that is slow (EAGAIN) is asked again at the next flush; it is no fault.
    if (error !== null && error.code !== 'EAGAIN') fail()
    if (error === null && batch !== null) {
      failedAt = null
      waiting -= written
      batch = written === batch.length ? null : batch.subarray(written)
      if (batch !== null) writeBatch()
    }
    if (isClosed) closeDescriptor()
  }

  function closeDescriptor(): void {
    if (descriptor !== null && descriptor > 2) closeSync(descriptor)
    descriptor = null
  }

  return {
    add(decided, closed) {
      if (options.what === 'off') return
      const line = renderLine(decided, closed, options.what)
      if (line === null) return
      if (waiting + line.length > MOST_BYTES) {
        dropped += 1
        return
      }
      waiting += line.length
      lines.push(line)
    },
    flush() {
      startBatch()
      writeBatch()
    },
    dropped: () => dropped,
    fault: () => (failedAt === null ? null : 'log_unwritable'),
    isBusy: () => batch !== null || lines.length > 0,
    close() {
      isClosed = true
      if (!isWriting) closeDescriptor()
    },
  }
}

function renderLine(
  decided: string | null,
  closed: string,
  which: 'refusals' | 'all',
): string | null {
  if (which === 'refusals' && readClosedHead(closed).verdict !== 'deny') return null
  const record = decode({ version: CODEC_VERSION, decided, closed }, null)
  return `${JSON.stringify({
    time: record.time,
    id: record.id,
    verdict: record.verdict,
    code: record.code,
    outcome: record.outcome,
    tenant: record.principal?.tenant ?? null,
    app: record.principal?.app ?? null,
    model: record.request.model,
    target: record.route.chosen,
    status: record.response?.status ?? null,
    ms: record.timing?.totalMs ?? null,
    tokens: record.usage && {
      input: record.usage.input + record.usage.cacheRead + record.usage.cacheWrite,
      output: record.usage.output + record.usage.reasoning,
    },
  })}\n`
}

function openForAppend(file: string): number {
  mkdirSync(dirname(file), { recursive: true })
  return openSync(file, 'a', 0o600)
}

/**
 * A pipe is opened anew, so that it can be one that never blocks without making everybody else's
 * standard output so: a blocked write would hold up the end of the process too.
 */
function openStandardOutput(): number {
  if (!fstatSync(1).isFIFO()) return 1
  try {
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return 1
  }
}
