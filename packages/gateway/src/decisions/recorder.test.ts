import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test, vi } from 'vitest'
import { findDecision } from './find-decision.ts'
import { createRing } from './record-ring.ts'
import { openRecordWriter } from './record-writer.ts'
import { type RecorderOptions, startRecorder } from './recorder.ts'
import { aRecord, aRefusal } from './records.fixture.ts'

const gauges = { exchangesInFlight: 3, unparsableRequests: 2 }
const soon = { timeout: 10_000, interval: 50 }

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-records-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

function start(changes: Partial<RecorderOptions> = {}) {
  const file = changes.file ?? join(aFolder(), 'sluice.decisions.db')
  const rings = [createRing(), createRing()]
  const recorder = startRecorder({
    file,
    rings,
    retention: null,
    log: { what: 'off', file: null },
    node: 'node-1',
    ...changes,
  })
  onTestFinished(() => recorder.close())
  const [worker, other] = rings.map(openRecordWriter)
  if (worker === undefined || other === undefined) throw new Error('two rings')
  return { file, recorder, worker, other, find: (id: string) => findDecision(file, id) }
}

test('what a worker wrote can be read while the gateway runs, and is private', async () => {
  const { file, worker, find } = start()
  const record = aRecord()
  worker.decided(record)
  worker.closed(record)

  await vi.waitFor(() => {
    expect(find(record.id)).toMatchObject({
      record: { id: record.id, node: 'node-1', outcome: 'completed' },
      isBeginningLost: false,
      isEndLost: false,
    })
  }, soon)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600)
})

test('an exchange that has not ended is open, and found when it ends much later', async () => {
  const { recorder, worker, find } = start()
  const record = aRecord({ startedAt: Date.now() - 3_600_000 })
  worker.decided(record)
  await recorder.flush()
  expect(find(record.id)).toMatchObject({ record: { outcome: null }, isEndLost: false })

  const others = Array.from({ length: 100 }, () => aRecord())
  for (const other of others) {
    worker.decided(other)
    worker.closed(other)
  }
  worker.closed(record)
  await recorder.flush()
  expect(find(record.id)?.record.outcome).toBe('completed')
  expect(find(others[50]?.id ?? '')?.record.outcome).toBe('completed')
})

test('what a dead worker left open ends as lost, and nothing of the others does', async () => {
  const { recorder, worker, other, find } = start()
  const [ended, left, elsewhere] = [aRecord(), aRecord(), aRecord()]
  worker.decided(ended)
  worker.closed(ended)
  worker.decided(left)
  other.decided(elsewhere)
  await recorder.workerDied(0, 'internal_error')

  expect(find(ended.id)?.record.outcome).toBe('completed')
  expect(find(left.id)).toMatchObject({
    record: { verdict: 'allow', code: 'internal_error', outcome: 'lost' },
    isEndLost: true,
  })
  expect(find(elsewhere.id)?.record.outcome).toBeNull()
})

test('when no gateway runs any more, what it left open is lost', async () => {
  const { recorder, worker, find } = start()
  const record = aRecord()
  worker.decided(record)
  await recorder.flush()
  await recorder.close()
  expect(find(record.id)).toMatchObject({ record: { outcome: 'lost' }, isEndLost: true })
})

test('after kill -9 what was flushed is there, and what was open is lost before and after a restart', async () => {
  const file = join(aFolder(), 'sluice.decisions.db')
  const program = fileURLToPath(new URL('./killed-gateway.fixture.ts', import.meta.url))
  const { stdout, signal } = spawnSync(process.execPath, [...process.execArgv, program, file], {
    encoding: 'utf8',
  })
  expect(signal).toBe('SIGKILL')
  const [ended = '', open = ''] = stdout.split(',')

  expect(findDecision(file, ended)?.record.outcome).toBe('completed')
  expect(findDecision(file, open)?.record.outcome).toBe('lost')

  const { recorder } = start({ file })
  await recorder.flush()
  expect(findDecision(file, open)?.record.outcome).toBe('lost')
})

test('a locked store degrades the gateway for as long as it is locked, and loses nothing', async () => {
  const { file, recorder, worker, find } = start()
  await recorder.flush()
  const intruder = new DatabaseSync(file)
  intruder.exec('BEGIN EXCLUSIVE')
  const record = aRecord()
  worker.decided(record)
  worker.closed(record)
  await vi.waitFor(() => {
    expect(recorder.status().degraded).toEqual(['store_locked'])
  }, soon)
  expect(await recorder.metrics(gauges)).toContain('sluice_exchanges_total{verdict="allow"')

  intruder.exec('ROLLBACK')
  intruder.close()
  await vi.waitFor(() => {
    expect(recorder.status().degraded).toEqual([])
    expect(find(record.id)?.record.outcome).toBe('completed')
  }, soon)
})

test('beyond its bound the queue drops, counts, and says so', async () => {
  const folder = aFolder()
  const { recorder, worker } = start({
    // A file where a folder should be: it can never be opened.
    file: join(folder, 'file', 'sluice.decisions.db'),
    queueBytes: 1,
  })
  execFileSync('touch', [join(folder, 'file')])
  const unpackable = () => Array.from({ length: 40 }, () => Math.random().toString(36)).join('')
  await vi.waitFor(async () => {
    for (let count = 0; count < 2000; count++) {
      const record = aRecord({ model: unpackable() })
      worker.decided(record)
      worker.closed(record)
    }
    await recorder.flush()
    expect(await recorder.metrics(gauges)).toMatch(
      /sluice_records_dropped_total\{reason="queue_full"\} [1-9]/,
    )
  }, soon)
  expect(recorder.status().degraded).toEqual(expect.arrayContaining(['records_dropped']))
})

test('a store that is deleted under the gateway is made anew', async () => {
  const { file, recorder, worker, find } = start()
  await recorder.flush()
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })

  const record = aRecord()
  worker.decided(record)
  worker.closed(record)
  await vi.waitFor(() => {
    expect(find(record.id)?.record.outcome).toBe('completed')
  }, soon)
  expect(recorder.status().degraded).toEqual([])
})

const canMount = process.platform === 'linux' && process.getuid?.() === 0 && mountsWork()

function mountsWork(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' })
    execFileSync('umount', [folder])
    return true
  } catch {
    return false
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test.skipIf(!canMount)(
  'a full disk degrades, and is survived (needs root, to mount a tiny one)',
  async () => {
    const folder = aFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', folder])
    onTestFinished(() => {
      execFileSync('umount', ['-l', folder])
    })
    const { file, recorder, worker, find } = start({ file: join(folder, 'sluice.decisions.db') })
    await recorder.flush()
    fillDisk(join(folder, 'ballast'))
    const record = aRecord({
      model: Array.from({ length: 3000 }, () => Math.random().toString(36)).join(''),
    })
    worker.decided(record)
    worker.closed(record)
    await vi.waitFor(() => {
      expect(recorder.status().degraded).toContain('store_full')
    }, soon)

    rmSync(join(folder, 'ballast'))
    await vi.waitFor(() => {
      expect(recorder.status().degraded).toEqual([])
      expect(find(record.id)?.record.outcome).toBe('completed')
    }, soon)
    expect(existsSync(file)).toBe(true)
  },
)

function fillDisk(file: string): void {
  const descriptor = openSync(file, 'w')
  try {
    for (;;) writeSync(descriptor, Buffer.alloc(4096))
  } catch {
    closeSync(descriptor)
  }
}

test('counts exchanges, tokens and seconds, beside the figures of the process', async () => {
  const { recorder, worker } = start()
  for (const record of [aRecord(), aRecord(), aRefusal()]) {
    worker.decided(record)
    worker.closed(record)
  }
  const text = await recorder.metrics(gauges)

  expect(text).toContain(
    'sluice_exchanges_total{verdict="allow",code="",protocol="openai-chat"} 2\n',
  )
  expect(text).toContain(
    'sluice_exchanges_total{verdict="deny",code="access_denied",protocol="openai-chat"} 1\n',
  )
  expect(text).toContain('sluice_tokens_total{class="output"} 1024\n')
  expect(text).toContain('sluice_upstream_seconds_bucket{le="0.25"} 0\n')
  expect(text).toContain('sluice_upstream_seconds_bucket{le="0.5"} 2\n')
  expect(text).toContain('sluice_gateway_seconds_count 3\n')
  expect(text).toContain('sluice_exchanges_in_flight 3\n')
  expect(text).toContain('sluice_unparsable_requests_total 2\n')
  expect(text).toContain('sluice_records_dropped_total{reason="ring_full"} 0\n')
  expect(text).toContain('nodejs_eventloop_lag_seconds')
})

test('writes refusals, or all decisions, to the decision log as they are told to', async () => {
  const log = join(aFolder(), 'logs', 'decisions.log')
  const { recorder, worker } = start({ log: { what: 'refusals', file: log } })
  const [allowed, refused] = [aRecord(), aRefusal()]
  for (const record of [allowed, refused]) {
    worker.decided(record)
    worker.closed(record)
  }
  await vi.waitFor(() => {
    expect(readLog(log)).toEqual([
      {
        time: new Date(refused.startedAt).toISOString(),
        id: refused.id,
        verdict: 'deny',
        code: 'access_denied',
        outcome: 'denied',
        tenant: 'bank',
        app: 'agent-desk',
        model: 'secret-chat',
        target: null,
        status: 403,
        ms: 1.2,
        tokens: null,
      },
    ])
  }, soon)

  await recorder.reconfigure({ retention: null, log: { what: 'all', file: log } })
  const later = aRecord()
  worker.decided(later)
  worker.closed(later)
  await vi.waitFor(() => {
    expect(readLog(log).at(-1)).toMatchObject({ id: later.id, tokens: { input: 190, output: 512 } })
  }, soon)
})

function readLog(file: string): { id: string }[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as { id: string })
}

test('a log that cannot be written costs log lines, not records', async () => {
  const { recorder, worker, find } = start({ log: { what: 'all', file: '/dev/full' } })
  const record = aRecord()
  worker.decided(record)
  worker.closed(record)
  await vi.waitFor(() => {
    expect(recorder.status().degraded).toEqual(['log_unwritable'])
    expect(find(record.id)?.record.outcome).toBe('completed')
  }, soon)
})

test('when its thread dies it is started again, and what waits in the rings is kept', async () => {
  const threads: Worker[] = []
  const remember = (thread: Worker) => threads.push(thread)
  process.on('worker', remember)
  onTestFinished(() => {
    process.off('worker', remember)
  })
  const reasons: (readonly string[])[] = []
  const { recorder, worker, find } = start({ onStatus: (degraded) => reasons.push(degraded) })
  await recorder.flush()
  await threads[0]?.terminate()

  const record = aRecord()
  worker.decided(record)
  worker.closed(record)
  await vi.waitFor(() => {
    expect(find(record.id)?.record.outcome).toBe('completed')
  }, soon)
  expect(reasons).toEqual([['recorder_down'], []])
  expect(threads).toHaveLength(2)
})

test('a reader of standard output that stands still holds up neither records nor the end', async () => {
  const file = join(aFolder(), 'sluice.decisions.db')
  const program = fileURLToPath(new URL('./blocked-output.fixture.ts', import.meta.url))
  const gateway = spawn(process.execPath, [...process.execArgv, program, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const told: string[] = []
  gateway.stderr.on('data', (text: Buffer) => told.push(text.toString()))
  // Standard output is a pipe that nobody reads.
  const [status] = (await once(gateway, 'exit')) as [number | null]

  const [id = '', dropped] = told.join('').trim().split(',')
  expect({ status, dropped: Number(dropped) > 0 }).toEqual({ status: 0, dropped: true })
  expect(findDecision(file, id)?.record.outcome).toBe('completed')
})
