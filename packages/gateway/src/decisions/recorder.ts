import { hostname } from 'node:os'
import { Worker } from 'node:worker_threads'
import { uuidv7 } from '../lib/ids.ts'
import { threadEntry } from '../lib/thread-entry.ts'
import type { DecisionLogOptions } from './decision-log.ts'
import { createProcessMetrics, type GatewayGauges } from './process-metrics.ts'
import type {
  RecorderMessage,
  RecorderRequest,
  RecorderSettings,
  RecorderThreadOptions,
} from './recorder-messages.ts'

export interface RecorderOptions {
  /** Of the decision records: `decisionsFile(storeFile)`. */
  readonly file: string
  /** One per worker, for as long as the gateway lives: a worker that takes over gets the same one. */
  readonly rings: readonly SharedArrayBuffer[]
  /** Milliseconds; null keeps records for ever. */
  readonly retention: number | null
  readonly log: DecisionLogOptions
  /** Names this gateway in its records; the host's name when absent. */
  readonly node?: string
  /** Bytes that may wait for a store that cannot be written, the rings included. */
  readonly queueBytes?: number
  /** Told whenever the reasons change; an empty list means that all is well. */
  readonly onStatus?: (degraded: readonly string[]) => void
  /** Told why the recorder's thread ended; it is started again by itself. */
  readonly onFault?: (error: Error) => void
}

/** The main thread's handle of the recorder. No call throws because records cannot be stored. */
export interface Recorder {
  /** Prometheus' text form, of the process and of the exchanges. */
  metrics: (gauges: GatewayGauges) => Promise<string>
  status: () => { readonly degraded: readonly string[] }
  /**
   * Reads the last of the dead worker's ring, then ends as `lost` what it left open. To be awaited
   * before another worker writes to that ring.
   */
  workerDied: (index: number, code?: string) => Promise<void>
  reconfigure: (settings: RecorderSettings) => Promise<void>
  /** What was written to the rings before is in the store afterwards, if the store can be written. */
  flush: () => Promise<void>
  /** The workers must have ended: what they left open is `lost` from now on. */
  close: () => Promise<void>
}

const QUEUE_BYTES = 64 * 1024 * 1024
const LEAST_QUEUE_BYTES = 8 * 1024 * 1024
const ANSWER_WITHIN_MS = 5_000
const RESTART_AFTER_MS = 250
/** Distributes over the request's kinds, which Omit does not. */
type Question = RecorderRequest extends infer Request
  ? Request extends RecorderRequest
    ? Omit<Request, 'request'>
    : never
  : never

export function startRecorder(options: RecorderOptions): Recorder {
  const processMetrics = createProcessMetrics()
  const waiting = new Map<number, (text: string) => void>()
  const ringBytes = options.rings.reduce((sum, ring) => sum + ring.byteLength, 0)
  const now = Date.now()
  let data: RecorderThreadOptions = {
    file: options.file,
    rings: options.rings,
    retention: options.retention,
    log: options.log,
    run: { id: uuidv7(now), node: options.node ?? hostname(), startedAt: now },
    queueBytes: Math.max((options.queueBytes ?? QUEUE_BYTES) - ringBytes, LEAST_QUEUE_BYTES),
  }
  let degraded: readonly string[] = []
  let requests = 0
  let isClosing = false
  let isDown = false
  let thread = start()

  function start(): Worker {
    const started = new Worker(threadEntry('./recorder-thread', import.meta.url), {
      name: 'recorder',
      workerData: data,
    })
    started.on('message', receive)
    started.on('error', (error) => {
      options.onFault?.(error instanceof Error ? error : new Error(String(error)))
    })
    started.once('exit', onExit)
    return started
  }

  function receive(message: RecorderMessage): void {
    if (message.kind === 'status') {
      setStatus(message.degraded)
      return
    }
    waiting.get(message.request)?.(message.text)
  }

  function setStatus(reasons: readonly string[]): void {
    degraded = reasons
    options.onStatus?.(reasons)
  }

  function onExit(): void {
    for (const answer of waiting.values()) answer('')
    isDown = true
    if (isClosing) return
    setStatus(['recorder_down'])
    setTimeout(() => {
      if (isClosing) return
      thread = start()
      isDown = false
      setStatus([])
    }, RESTART_AFTER_MS).unref()
  }

  /** Answers with nothing when the thread cannot: the gateway does not wait for its records. */
  function ask(question: Question): Promise<string> {
    if (isDown) return Promise.resolve('')
    requests += 1
    const request = requests
    return new Promise((resolve) => {
      const limit = setTimeout(answer, ANSWER_WITHIN_MS, '')
      function answer(text: string): void {
        clearTimeout(limit)
        waiting.delete(request)
        resolve(text)
      }
      waiting.set(request, answer)
      thread.postMessage({ ...question, request } satisfies RecorderRequest)
    })
  }

  return {
    async metrics(gauges) {
      const texts = await Promise.all([processMetrics.text(gauges), ask({ kind: 'metrics' })])
      return texts.join('')
    },
    status: () => ({ degraded }),
    async workerDied(index, code) {
      await ask({ kind: 'workerDied', index, code: code ?? null })
    },
    async reconfigure(settings) {
      data = { ...data, ...settings }
      await ask({ kind: 'reconfigure', settings })
    },
    async flush() {
      await ask({ kind: 'flush' })
    },
    async close() {
      if (isClosing) return
      isClosing = true
      await ask({ kind: 'close' })
      await thread.terminate()
    },
  }
}
