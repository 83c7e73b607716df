import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { createBlockQueue } from './block-queue.ts'
import { createBlockWriter } from './block-writer.ts'
import { type DecisionLog, openDecisionLog } from './decision-log.ts'
import { createExchangeMetrics } from './metrics.ts'
import { createRecordIntake } from './record-intake.ts'
import type {
  RecorderMessage,
  RecorderRequest,
  RecorderSettings,
  RecorderThreadOptions,
} from './recorder-messages.ts'

/** How long a line waits at most in its ring, and so what `kill -9` may cost. */
const POLL_MS = 100
/** When a ring was this full, it is looked at again soon. */
const BUSY_BYTES = 512 * 1024
const BUSY_POLL_MS = 20
const TIDY_MS = 1_000
const IDLE_TIDY_MS = 10_000
/** Readiness says for so long that records are being dropped. */
const DROPPED_RECENTLY_MS = 10_000
const LAST_WRITE_MS = 2_000

function startRecorderThread(options: RecorderThreadOptions, send: (m: RecorderMessage) => void) {
  const queue = createBlockQueue(options.queueBytes)
  const writer = createBlockWriter({ file: options.file, run: options.run, queue })
  const metrics = createExchangeMetrics()
  let log = openDecisionLog(options.log)
  const intake = createRecordIntake({ rings: options.rings, queue, metrics, log })
  intake.logTo(log, options.log.what !== 'off')

  let { retention } = options
  let earlierLogDrops = 0
  let lastDropped = 0
  let droppedAt = -Infinity
  let lastStatus = ''
  let tidyAt = 0
  let timer: NodeJS.Timeout | undefined
  let isClosing = false

  function dropped(): Record<string, number> {
    return { ...intake.dropped(), log_full: earlierLogDrops + log.dropped() }
  }

  /** Everything that a round does is bounded, and none of it waits. */
  function round(): number {
    const now = Date.now()
    const bytes = intake.drain()
    const { ring_full = 0, record_too_long = 0, queue_full = 0 } = intake.dropped()
    writer.write(now, ring_full + record_too_long + queue_full)
    log.flush()
    if (now >= tidyAt) {
      const hasMore = writer.tidy(now, retention)
      tidyAt = now + (hasMore || bytes > 0 ? TIDY_MS : IDLE_TIDY_MS)
    } else if (bytes > 0) {
      tidyAt = Math.min(tidyAt, now + TIDY_MS)
    }
    tellStatus(now)
    return bytes
  }

  function tellStatus(now: number): void {
    const total = Object.values(dropped()).reduce((sum, count) => sum + count, 0)
    if (total !== lastDropped) droppedAt = now
    lastDropped = total
    const degraded = [
      ...writer.faults(),
      ...(log.fault() === null ? [] : ['log_unwritable']),
      ...(now - droppedAt < DROPPED_RECENTLY_MS ? ['records_dropped'] : []),
    ]
    if (degraded.join() === lastStatus) return
    lastStatus = degraded.join()
    send({ kind: 'status', degraded })
  }

  function loop(): void {
    if (isClosing) return
    const bytes = round()
    timer = setTimeout(loop, bytes > BUSY_BYTES ? BUSY_POLL_MS : POLL_MS)
  }

  function changeLog(next: DecisionLog, isOn: boolean): void {
    log.flush()
    earlierLogDrops += log.dropped()
    log.close()
    log = next
    intake.logTo(log, isOn)
  }

  async function close(): Promise<void> {
    isClosing = true
    clearTimeout(timer)
    const until = Date.now() + LAST_WRITE_MS
    round()
    while ((!queue.isEmpty() || log.isBusy()) && Date.now() < until) {
      await sleep(POLL_MS)
      round()
    }
    writer.close(Date.now())
    log.close()
  }

  function workerDied(index: number, code: string | null): void {
    intake.workerDied(index, code)
    round()
  }

  function reconfigure(settings: RecorderSettings): void {
    retention = settings.retention
    tidyAt = 0
    changeLog(openDecisionLog(settings.log), settings.log.what !== 'off')
  }

  async function answer(request: RecorderRequest): Promise<string> {
    if (request.kind === 'workerDied') workerDied(request.index, request.code)
    else if (request.kind === 'reconfigure') reconfigure(request.settings)
    else if (request.kind === 'close') await close()
    else round()
    return request.kind === 'metrics' ? metrics.text(dropped()) : ''
  }

  loop()
  return answer
}

if (parentPort !== null) {
  const port = parentPort
  const answer = startRecorderThread(workerData as RecorderThreadOptions, (message) => {
    port.postMessage(message)
  })
  port.on('message', (request: RecorderRequest) => {
    void reply(request)
  })

  const reply = async (request: RecorderRequest): Promise<void> => {
    const text = await answer(request)
    port.postMessage({ kind: 'answer', request: request.request, text } satisfies RecorderMessage)
    if (request.kind === 'close') port.close()
  }
}
