import { gzipSync } from 'node:zlib'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { ask, callBytes } from './support/client.ts'
import { startFaultWorld, type FaultWorld } from './support/fault-world.ts'
import { dial, requestBytes } from './support/raw-connection.ts'
import {
  chatEvent,
  chunkOf,
  startRawUpstream,
  streamHead,
  wholeAnswer,
  type RawUpstream,
  type UpstreamCall,
} from './support/raw-upstream.ts'

const mebibyte = 1024 * 1024
const largeEvent = chunkOf(chatEvent('x'.repeat(64 * 1024)))
/** What the system's own buffers hold on both ways, one answer, and some. */
const most = 40 * mebibyte
/** How long a client may take nothing of its answer. */
const bodyTimeout = 1_800

/** One member of gzip may follow another: much goes in, and as much comes out. */
const noise = gzipSync(chatEvent('x'.repeat(64 * 1024)), { level: 0 })
/** 16 MiB of events in some kilobytes. */
const bomb = gzipSync(chatEvent('x'.repeat(1024)).repeat(16 * 1024), { level: 9 })

let upstream: RawUpstream
let world: FaultWorld

beforeAll(async () => {
  upstream = await startRawUpstream({
    flood: (call) => {
      call.socket.write(streamHead())
      call.flood(largeEvent)
    },
    'flood-gzip': (call) => {
      call.socket.write(streamHead({ 'content-encoding': 'gzip' }))
      call.flood(chunkOf(noise))
    },
    'flood-bomb': (call) => {
      call.socket.write(streamHead({ 'content-encoding': 'gzip' }))
      call.flood(chunkOf(bomb))
    },
    'flood-whole': (call) => {
      call.socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n')
      call.flood(Buffer.alloc(64 * 1024, '['))
    },
    slow: ({ socket }) => {
      socket.write(Buffer.concat([streamHead(), chunkOf(chatEvent('one'))]))
      const more = setInterval(() => socket.write(chunkOf(chatEvent('more'))), 50)
      socket.once('close', () => clearInterval(more))
    },
    hang: () => undefined,
    eight: ({ socket }) => {
      socket.write(wholeAnswer(200, JSON.stringify({ text: 'x'.repeat(8 * mebibyte) })))
    },
  })
  world = await startFaultWorld({
    rawUpstream: upstream.url,
    configuration: {
      server: { limits: { responseBuffer: '10MiB' }, timeouts: { body: `${bodyTimeout}ms` } },
    },
  })
})
afterEach(async () => {
  await eventually(
    'the end of all exchanges but the bystander',
    async () => (await world.metric('sluice_exchanges_in_flight')) === 1,
    { within: 8_000 },
  )
  await world.assertLivesOn()
})
afterAll(async () => {
  await world?.[Symbol.asyncDispose]()
  await upstream?.[Symbol.asyncDispose]()
})

const cancelled = { outcome: 'cancelled', code: 'client_closed', status: 499 }

test('clients that stop reading stop their upstreams, and are given up after a while', async () => {
  const before = await world.residentMebibytes()
  const stalled = async (script: string) => {
    await using connection = await ask(world, { model: `raw/${script}`, stream: true })
    await eventually('the beginning', () => connection.length > 1000)
    connection.socket.pause()

    const call = await eventually('the call', () => upstream.callOf(script))
    const stops = await stopsSending(call)
    const { outcome, code } = await world.logLine(({ model }) => model === `raw/${script}`)
    await eventually('the end of the call', () => call.isOver)
    return { script, stops, outcome, code }
  }
  const scripts = ['flood', 'flood-gzip', 'flood-bomb', 'flood-whole']

  expect(await Promise.all(scripts.map(stalled))).toEqual(
    scripts.map((script) => ({ script, stops: true, outcome: 'cancelled', code: 'client_closed' })),
  )
  expect((await world.residentMebibytes()) - before).toBeLessThan(250)
})

/** Whether what the upstream could send comes to a halt once all buffers on the way are full. */
async function stopsSending(call: UpstreamCall): Promise<boolean> {
  let sent = -1
  let still = 0
  // Looks and not milliseconds are counted: this process may itself stand still for a while.
  for (let look = 0; look < 40 && still < 8; look++) {
    still = call.written === sent ? still + 1 : 0
    sent = call.written
    await sleep(50)
  }
  return still === 8 && sent < most
}

test('a client that was slow, and reads again in time, gets every byte', async () => {
  await using connection = await ask(world, {
    model: 'sim-openai/lorem;sim:length=20000,cut=whole',
    stream: true,
  })
  await eventually('the beginning', () => connection.length > 1000)
  connection.socket.pause()
  await sleep(700)
  connection.socket.resume()

  const answer = await connection.answer()
  expect(answer.body.endsWith('data: [DONE]\n\n')).toBe(true)
})

test('a client that takes nothing of a whole answer is given up as well', async () => {
  await using connection = await dial(world.url)
  connection.socket.pause()
  connection.send(callBytes(world, { model: 'raw/eight' }))
  await eventually('the call', () => (upstream.callOf('eight')?.written ?? 0) > 8 * mebibyte)
  await sleep(bodyTimeout + 1_000)
  connection.socket.resume()

  const seen = () => connection.end !== 'open' || connection.length > 8 * mebibyte
  await eventually('the end of the connection, or of the answer', seen)
  expect(connection.length).toBeLessThan(8 * mebibyte)
})

test('a client that leaves before its body is complete leaves a record', async () => {
  const connection = await dial(world.url)
  connection.send(callBytes(world, { model: 'chat' }).subarray(0, -10))
  await sleep(100)
  connection.socket.destroy()

  const line = await world.logLine(
    ({ model, outcome }) => model === null && outcome !== 'completed',
  )
  expect(line).toMatchObject({ ...cancelled, target: null, app: 'desk' })
})

test.for([
  ['closes', false],
  ['resets', true],
] as const)('a client that %s before the first byte cancels the call', async ([, isReset]) => {
  const simulated = world.simulator.requests.length
  const model = 'sim-openai/echo;sim:latency=5000'
  const connection = await ask(world, { model, content: isReset ? 'reset' : 'close' })
  await eventually('the call', () => world.simulator.requests.length > simulated)
  if (isReset) connection.socket.resetAndDestroy()
  else connection.socket.destroy()

  await eventually('the end of the call', () => world.simulator.requests.at(-1)?.aborted)
  const line = await world.logLine((line) => line.model === model)
  expect(line).toMatchObject({ ...cancelled, target: 'sim-openai/echo;sim:latency=5000' })
})

test.for(['destroy', 'resetAndDestroy'] as const)(
  'a client that leaves in the stream (%s) cancels the call',
  async (leave) => {
    const model = `sim-openai/lorem;sim:length=2000,tps=100,seed=${leave.length}`
    const connection = await ask(world, { model, stream: true })
    await eventually('the first events', () => connection.text.includes('data: '))
    const id = connection.answers()[0]?.headers['x-sluice-decision'] ?? ''
    connection.socket[leave]()

    await eventually('the end of the call', () => world.simulator.requests.at(-1)?.aborted)
    expect(await world.logLine((line) => line.id === id)).toMatchObject({
      outcome: 'cancelled',
      code: 'client_closed',
    })
    if (leave === 'destroy') {
      expect(await world.explain(id)).toMatchObject({
        verdict: 'allow',
        code: 'client_closed',
        outcome: 'cancelled',
        response: { mode: 'stream' },
        route: { attempts: [{ status: 200, error: 'client_closed' }] },
      })
    }
  },
)

test('a client that closes its half of the connection gets its answer or is taken for gone', async () => {
  const model = 'sim-openai/echo;sim:latency=300'
  await using connection = await ask(world, { model })
  connection.socket.end()

  await connection.ended()
  const [answer] = connection.answers()
  const line = await world.logLine((line) => line.model === model)
  expect(line.outcome).toBe(answer === undefined ? 'cancelled' : 'completed')
})

test('a client that leaves takes its pipelined calls with it', async () => {
  const connection = await dial(world.url)
  const slow = callBytes(world, { model: 'raw/slow', stream: true })
  connection.send(Buffer.concat([slow, slow, callBytes(world, { model: 'raw/hang' })]))
  const calls = () => upstream.calls.filter(({ model }) => model === 'slow' || model === 'hang')
  await eventually('all three calls', () => calls().length === 3)
  connection.socket.destroy()

  await eventually('the end of all three', () => calls().every(({ isOver }) => isOver))
  await eventually('three records', async () => {
    const lines = (await world.logLines()).filter(({ model }) =>
      /^raw\/(slow|hang)$/.test(model ?? ''),
    )
    return lines.length === 3 && lines.every(({ outcome }) => outcome === 'cancelled')
  })
})

test('three hundred clients that come and leave at any moment leave nothing behind', async () => {
  const bytes = callBytes(world, {
    model: 'sim-openai/lorem;sim:length=100,tps=500,latency=20',
    stream: true,
  })
  for (let round = 0; round < 6; round++) {
    const leaving = Array.from({ length: 50 }, async (_, at) => {
      const connection = await dial(world.url)
      connection.send(bytes.subarray(0, bytes.length - (at % 5 === 0 ? 5 : 0)))
      await sleep(at * 3)
      if (at % 2 === 0) connection.socket.destroy()
      else connection.socket.resetAndDestroy()
    })
    await Promise.all(leaving)
  }

  await eventually('the end of all calls', () =>
    world.simulator.requests.slice(0, -1).every(({ aborted, finished, path }) => {
      return aborted || finished || path === '/v1/messages'
    }),
  )
})

test('a connection that a client left half-open after its answer is closed in time', async () => {
  await using connection = await dial(world.url)
  connection.send(requestBytes(world.key, { method: 'GET', path: '/v1/models' }))
  await connection.answer()
  connection.socket.end()

  await connection.ended()
})
