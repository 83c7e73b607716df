import { readFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGateway, type Gateway, type GatewayOptions } from '@sluice/gateway'
import { startSimulator, type Simulator } from '@sluice/simulator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Decision } from '../support/decision.ts'
import { eventually } from '../support/eventually.ts'
import { runProgram } from '../support/program.ts'
import { digestOf, newSecret } from '../support/world.ts'
import type { LogLine } from './support/fault-world.ts'
import { dial, requestBytes, type RawConnection } from './support/raw-connection.ts'

const key = newSecret('sk-sluice-')

let folder: string
let simulator: Simulator
let gateway: Gateway
const logged: string[] = []

const configurationWith = (changes: { timeouts?: object; models?: readonly string[] } = {}) =>
  JSON.stringify({
    version: 1,
    server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0', workers: 2, shutdownGrace: '1s' },
    store: { url: 'sqlite:./data/sluice.db' },
    decisions: { log: { what: 'all', file: './decisions.log' } },
    providers: {
      sim: {
        type: 'openai-compatible',
        baseUrl: `${simulator.url}/v1`,
        ...(changes.timeouts && { timeouts: changes.timeouts }),
      },
    },
    roles: { caller: { allow: [{ models: changes.models ?? ['sim/*'] }] } },
    tenants: { bank: { apps: { desk: { roles: ['caller'], keys: [{ sha256: digestOf(key) }] } } } },
  })

beforeAll(async () => {
  simulator = await startSimulator({ record: true })
  folder = await mkdtemp(join(tmpdir(), 'sluice-workers-'))
  await writeFile(join(folder, 'sluice.yaml'), configurationWith())
  const note = (...said: unknown[]) => void logged.push(JSON.stringify(said))
  const log = { level: 'info', info: note, warn: note, error: note } as unknown
  gateway = await createGateway({
    source: { file: join(folder, 'sluice.yaml') },
    environment: {},
    log: log as NonNullable<GatewayOptions['log']>,
  })
})
afterAll(async () => {
  await gateway?.close()
  await simulator?.close()
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
})

const call = (model: string, stream = false) =>
  requestBytes(key, {
    body: JSON.stringify({
      model: `sim/${model}`,
      stream,
      messages: [{ role: 'user', content: 'Hi' }],
    }),
  })

async function ask(model: string, stream = false): Promise<RawConnection> {
  return (await dial(gateway.url)).send(call(model, stream))
}

async function logLines(): Promise<LogLine[]> {
  const text = await readFile(join(folder, 'decisions.log'), 'utf8')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine)
}

async function explain(id: string): Promise<Decision> {
  const program = runProgram(['explain', id, '--json', '-c', 'sluice.yaml'], { folder })
  await program.waitForEnd(20_000)
  return JSON.parse(program.stdout()) as Decision
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text()
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1])
}

/** Calls one after the other until stopped, each on a connection of its own. */
function keepCalling(model = 'echo') {
  const statuses: (number | 'no answer')[] = []
  const stopping = new AbortController()
  const caller = async () => {
    while (!stopping.signal.aborted) {
      const connection = await ask(model).catch(() => null)
      const answer = await connection?.answer().catch(() => null)
      statuses.push(answer?.status ?? 'no answer')
      await connection?.[Symbol.asyncDispose]()
    }
  }
  const callers = [caller(), caller(), caller(), caller()]
  return {
    statuses,
    async stop() {
      stopping.abort()
      await Promise.all(callers)
      return statuses
    },
  }
}

const slow = 'lorem;sim:length=3000,tps=100'
const idOf = (connection: RawConnection) =>
  connection.answers()[0]?.headers['x-sluice-decision'] ?? ''

async function openStreams(count: number): Promise<RawConnection[]> {
  const streams = await Promise.all(Array.from({ length: count }, () => ask(slow, true)))
  await eventually('the first events', () => streams.every(({ text }) => text.includes('data: ')))
  return streams
}

test('a worker that dies loses its own calls only: they are recorded as lost, and it is replaced', async () => {
  const streams = await openStreams(16)
  const load = keepCalling()
  await sleep(200)
  const dying = gateway.workers[0]
  await dying?.terminate()

  await eventually('another worker', () => gateway.workers[0] !== dying)
  await sleep(300)
  const lost = streams.filter(({ end }) => end !== 'open')
  const alive = streams.filter(({ end }) => end === 'open')
  expect(lost.length).toBeGreaterThan(0)
  expect(alive.length).toBeGreaterThan(0)
  expect(lost.every((stream) => !stream.text.endsWith('0\r\n\r\n'))).toBe(true)

  const ids = new Set(lost.map(idOf))
  const recorded = await eventually('the records of the lost', async () => {
    const lines = (await logLines()).filter(({ id }) => ids.has(id))
    return lines.length === ids.size ? lines : null
  })
  expect(new Set(recorded.map(({ outcome }) => outcome))).toEqual(new Set(['lost']))
  const [firstLost] = lost
  expect(firstLost && (await explain(idOf(firstLost)))).toMatchObject({
    outcome: 'lost',
    verdict: 'allow',
    response: null,
    request: { model: `sim/${slow}`, stream: true },
    route: { chosen: `sim/${slow}` },
  })

  const before = alive.map(({ length }) => length)
  await sleep(200)
  expect(alive.every(({ length }, index) => length > (before[index] ?? 0))).toBe(true)
  const statuses = await load.stop()
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(20)
  // The dead worker's connections break; nobody is told anything wrong.
  expect(new Set(statuses)).toEqual(
    expect.toSatisfy((set: Set<unknown>) => isSubset(set, [200, 'no answer'])),
  )
  for (const stream of streams) await stream[Symbol.asyncDispose]()
  await eventually(
    'no exchange in flight',
    async () => (await metric('sluice_exchanges_in_flight')) === 0,
  )
  await eventually('the end of all calls', () =>
    simulator.requests.every(({ aborted, finished }) => aborted || finished),
  )
})

function isSubset(set: Set<unknown>, allowed: readonly unknown[]): boolean {
  return [...set].every((one) => allowed.includes(one))
}

test('both workers die at once, again and again: later calls work on both', async () => {
  for (let round = 0; round < 3; round++) {
    const dying = [...gateway.workers]
    await Promise.all(dying.map((worker) => worker.terminate()))
    await eventually('two other workers that listen', async () => {
      if (gateway.workers.some((worker) => dying.includes(worker))) return false
      const connection = await ask('echo').catch(() => null)
      const answer = await connection?.answer().catch(() => null)
      await connection?.[Symbol.asyncDispose]()
      return answer?.status === 200
    })
  }

  await sleep(500)
  const statuses = await Promise.all(
    Array.from({ length: 30 }, async () => {
      await using connection = await ask('echo')
      return (await connection.answer()).status
    }),
  )
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(await (await fetch(`${gateway.adminUrl}/readyz`)).json()).toMatchObject({
    status: 'ready',
  })
})

test('a worker that dies while the configuration changes comes back with the new one', async () => {
  const dying = gateway.workers[1]
  const changing = writeFile(
    join(folder, 'sluice.yaml'),
    configurationWith({ models: ['sim/echo', 'sim/lorem*', 'sim/new'] }),
  ).then(() => gateway.reload('test'))
  await dying?.terminate()
  await changing
  await eventually('another worker', () => gateway.workers[1] !== dying)
  await sleep(500)

  const statuses = await Promise.all(
    Array.from({ length: 20 }, async () => {
      await using connection = await ask('reasoning')
      return (await connection.answer()).status
    }),
  )
  expect(new Set(statuses)).toEqual(new Set([403]))
})

test('a configuration that changes under load fails no call, and cuts no stream', async () => {
  const streams = await openStreams(4)
  const load = keepCalling()
  for (let round = 0; round < 6; round++) {
    const timeouts = { idle: `${20 + round}s` }
    await writeFile(join(folder, 'sluice.yaml'), configurationWith({ timeouts }))
    await gateway.reload('test')
    await sleep(60)
  }

  const before = streams.map(({ length }) => length)
  await sleep(200)
  expect(
    streams.every(({ end, length }, index) => end === 'open' && length > (before[index] ?? 0)),
  ).toBe(true)
  expect(new Set(await load.stop())).toEqual(new Set([200]))
  for (const stream of streams) await stream[Symbol.asyncDispose]()
})

test('a call whose body was still coming when its provider changed is served', async () => {
  await writeFile(join(folder, 'sluice.yaml'), configurationWith({ timeouts: { idle: '40s' } }))
  await gateway.reload('test')
  const bytes = call('echo')
  const callers = await Promise.all(
    Array.from({ length: 6 }, async () => (await dial(gateway.url)).send(bytes.subarray(0, -20))),
  )
  await sleep(100)
  await writeFile(join(folder, 'sluice.yaml'), configurationWith({ timeouts: { idle: '41s' } }))
  await gateway.reload('test')

  const statuses = await Promise.all(
    callers.map(async (caller) => (await caller.send(bytes.subarray(-20)).answer()).status),
  )
  for (const caller of callers) await caller[Symbol.asyncDispose]()
  expect(statuses).toEqual(statuses.map(() => 200))
})

test('a configuration that is refused leaves the running one in force', async () => {
  await writeFile(join(folder, 'sluice.yaml'), '{"version": 1, "models": {"x": {}}}')
  await gateway.reload('test')
  await using connection = await ask('echo')

  expect((await connection.answer()).status).toBe(200)
  expect(logged.join('\n')).toContain('the configuration is refused')
  await writeFile(join(folder, 'sluice.yaml'), configurationWith())
  await gateway.reload('test')
})

test('an end with calls under way lets them finish within its grace and cuts the rest', async () => {
  const short = await ask('lorem;sim:length=20,tps=50', true)
  const [long] = await openStreams(1)
  const ids = [long, short].map((stream) => stream && idOf(stream))
  await gateway.close()

  expect((await short.answer()).isWhole).toBe(true)
  await long?.ended()
  expect(long?.answers()[0]?.isWhole).toBe(false)
  const lines = await logLines()
  expect(lines.find(({ id }) => id === ids[0])?.outcome).not.toBe('lost')
  expect(lines.filter(({ id }) => ids.includes(id)).length).toBeGreaterThan(0)
})
