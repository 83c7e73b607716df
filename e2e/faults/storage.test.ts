import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startFaultWorld, type FaultWorld } from './support/fault-world.ts'

let world: FaultWorld

beforeAll(async () => {
  world = await startFaultWorld()
})
afterEach(async () => world.assertLivesOn())
afterAll(async () => {
  await world?.[Symbol.asyncDispose]()
})

const records = () => join(world.folder, 'data/sluice.decisions.db')
const ready = { status: 200, body: { status: 'ready' } }
const degraded = (reason: string) => ({
  status: 200,
  body: { status: 'degraded', reasons: expect.arrayContaining([reason]) },
})

async function readyzBecomes(expected: object, within = 8_000, of = world): Promise<void> {
  let last: unknown
  try {
    await eventually(
      'readiness',
      async () => {
        last = await of.readyz()
        return expect.objectContaining(expected).asymmetricMatch(last)
      },
      { within },
    )
  } catch {
    expect(last).toEqual(expected)
  }
}

async function callId(of = world): Promise<string> {
  const response = await of.post('/v1/chat/completions', {
    model: 'chat',
    messages: [{ role: 'user', content: 'Hello' }],
  })
  await response.text()
  expect(response.status).toBe(200)
  return response.headers.get('x-sluice-decision') ?? ''
}

test('while the records are locked calls go on, readiness says why, and nothing is lost', async () => {
  await callId()
  const other = new DatabaseSync(records())
  other.exec('BEGIN EXCLUSIVE')
  const ids: string[] = []
  for (let index = 0; index < 50; index++) ids.push(await callId())

  await readyzBecomes(degraded('store_locked'))
  ids.push(await callId())
  await world.assertLivesOn()
  expect(await world.metrics()).toContain('sluice_records_dropped_total{reason="queue_full"} 0')
  expect(await world.metric('sluice_records_dropped_total')).toBe(0)

  other.exec('ROLLBACK')
  other.close()
  await readyzBecomes(ready)
  for (const id of [ids[0], ids.at(-1)]) {
    expect(await world.explain(id ?? '')).toMatchObject({ outcome: 'completed', verdict: 'allow' })
  }
})

test('records that are taken away are begun anew', async () => {
  await callId()
  for (const end of ['', '-wal', '-shm']) await rm(`${records()}${end}`, { force: true })
  const id = await callId()

  await eventually('a new file', () => stat(records()).catch(() => null), { within: 8_000 })
  const second = await callId()
  await readyzBecomes(ready, 15_000)
  expect(await world.explain(second)).toMatchObject({ id: second, outcome: 'completed' })
  expect(id).not.toBe(second)
})

test('records that are no database any more do not end a call', async () => {
  await rename(records(), `${records()}.kept`)
  for (const end of ['-wal', '-shm']) await rm(`${records()}${end}`, { force: true })
  await writeFile(records(), 'this is no database at all '.repeat(1000))
  await callId()

  await readyzBecomes({ status: 200, body: { status: 'degraded', reasons: expect.any(Array) } })
  await callId()
  await rm(records())
  const id = await callId()
  await readyzBecomes(ready, 15_000)
  expect(await world.explain(id)).toMatchObject({ outcome: 'completed' })
})

const mount = tmpfs()
const withTmpfs = test.skipIf(mount === null)

/** A file system of one megabyte, where this process may mount one; says so where it may not. */
function tmpfs(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-full-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    rmSync(folder, { recursive: true })
    process.stderr.write(
      'The test of a full disk is left out: no file system can be mounted here.\n',
    )
    return null
  }
}

afterAll(() => {
  if (mount === null) return
  execFileSync('umount', ['-l', mount], { stdio: 'ignore' })
  rmSync(mount, { recursive: true, force: true })
})

withTmpfs('on a full disk calls go on, readiness says why, and it recovers', async () => {
  await using full = await startFaultWorld({
    configuration: {
      store: { url: `sqlite:${mount}/sluice.db` },
      decisions: { log: { what: 'all', file: `${mount}/decisions.log` } },
    },
  })
  await callId(full)
  const ballast = join(mount ?? '', 'ballast')
  fillUp(ballast)
  const ids: string[] = []
  for (let index = 0; index < 300; index++) ids.push(await callId(full))

  await readyzBecomes(degraded('store_full'), 8_000, full)
  await full.assertLivesOn()
  const { body } = await full.readyz()
  expect(body).toMatchObject({ reasons: expect.arrayContaining(['log_unwritable']) })

  await rm(ballast)
  await readyzBecomes(ready, 15_000, full)
  for (const id of [ids[0], ids.at(-1)]) {
    expect(await full.explain(id ?? '')).toMatchObject({ outcome: 'completed' })
  }
})

function fillUp(file: string): void {
  for (let size = 1024 * 1024; size > 0; size -= 4096) {
    try {
      writeFileSync(file, Buffer.alloc(size))
      return
    } catch {
      // It did not fit: a little less.
    }
  }
}

test('a call whose model has a name of megabytes is recorded like any other', async () => {
  const model = `sim-openai/${'m'.repeat(5 * 1024 * 1024)}`
  const messages = [{ role: 'user', content: 'Hello' }]
  const response = await world.post('/v1/chat/completions', { model, messages })
  await response.text()

  // Refused or served: who did it is on record.
  const decision = await world.explain(response.headers.get('x-sluice-decision') ?? '')
  expect(decision).toMatchObject({ principal: { app: 'desk' } })
  expect(decision.request.model?.startsWith('sim-openai/mmm')).toBe(true)
})
