import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import type { Part } from '../support/merge.ts'
import { ask, callBytes } from './support/client.ts'
import { startFaultWorld, type FaultWorld } from './support/fault-world.ts'
import { dial, requestBytes, type RawConnection } from './support/raw-connection.ts'
import {
  chatAnswer,
  chatEvent,
  chunkOf,
  startRawUpstream,
  streamHead,
  wholeAnswer,
  type RawUpstream,
} from './support/raw-upstream.ts'
import type { RawAnswer } from './support/raw-answer.ts'
import { assertRefusal } from './support/refusals.ts'

const mebibyte = 1024 * 1024

let upstream: RawUpstream

beforeAll(async () => {
  upstream = await startRawUpstream({
    hang: () => undefined,
    fine: ({ socket }) => void socket.write(wholeAnswer(200, chatAnswer('fine'))),
    stream: ({ socket }) =>
      void socket.write(
        Buffer.concat([
          streamHead(),
          chunkOf(chatEvent('one')),
          chunkOf('data: [DONE]\n\n'),
          Buffer.from('0\r\n\r\n'),
        ]),
      ),
    flood: (call) => {
      call.socket.write(streamHead())
      call.flood(chunkOf(chatEvent('x'.repeat(64 * 1024))))
    },
    eight: ({ socket }) => {
      socket.write(wholeAnswer(200, JSON.stringify({ text: 'x'.repeat(8 * mebibyte) })))
    },
  })
})
afterAll(async () => {
  await upstream?.[Symbol.asyncDispose]()
})

const worldWith = (limits: Part, more: Part = {}) =>
  startFaultWorld({
    rawUpstream: upstream.url,
    bystander: false,
    configuration: { server: { limits, ...more } },
  })

function assertOverloaded(answer: RawAnswer): string {
  const told = { ...answer, headers: new Headers(answer.headers), text: answer.body }
  expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/)
  expect(answer.headers['x-should-retry']).toBeUndefined()
  return assertRefusal('openai', told, { status: 503, code: 'overloaded' })
}

const nothingInFlight = (world: FaultWorld) =>
  eventually('no exchange in flight', async () => {
    return (await world.metric('sluice_exchanges_in_flight')) === 0
  })

async function closeAll(connections: readonly RawConnection[]): Promise<void> {
  for (const connection of connections) await connection[Symbol.asyncDispose]()
}

describe('server.limits.exchanges', () => {
  let world: FaultWorld
  beforeAll(async () => {
    const limits = { exchanges: 3, requestBody: '64KiB' }
    world = await worldWith(limits, { timeouts: { body: '500ms' } })
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await nothingInFlight(world)
    await world.assertLivesOn()
  })

  async function holdThree(): Promise<RawConnection[]> {
    const calls = upstream.calls.length
    const held = [1, 2, 3].map(() => ask(world, { model: 'raw/hang', stream: true }))
    await eventually('three calls', () => upstream.calls.length === calls + 3)
    return Promise.all(held)
  }

  test('one more is told 503, again and again, and there is room again afterwards', async () => {
    let id = ''
    for (let round = 0; round < 3; round++) {
      const held = await holdThree()

      await using refused = await ask(world, { model: 'raw/fine' })
      id = assertOverloaded(await refused.answer())
      // The connection goes on.
      refused.send(callBytes(world, { model: 'raw/fine' }))
      assertOverloaded(await refused.answer(2))
      expect((await world.readyz()).status).toBe(200)
      expect(await world.metric('sluice_exchanges_in_flight')).toBe(3)

      await closeAll(held)
      await nothingInFlight(world)
      await world.assertLivesOn()
    }
    expect(await world.explain(id)).toMatchObject({
      verdict: 'deny',
      code: 'overloaded',
      outcome: 'denied',
      principal: { app: 'desk' },
      response: { status: 503 },
    })
  })

  test('a bad key is told 401 and takes no place, however full it is', async () => {
    const held = await holdThree()

    await using stranger = await dial(world.url)
    stranger.send(requestBytes('sk-sluice-nobody-knows-this-key', { body: '{}' }))
    expect((await stranger.answer()).status).toBe(401)
    expect(held.map(({ end }) => end)).toEqual(['open', 'open', 'open'])
    await closeAll(held)
  })

  test('every way out gives its place back', async () => {
    const bodies = [
      '',
      '{',
      '{"model":"nobody"}',
      '{"model":"restricted"}',
      '[]',
      ' '.repeat(100_000),
    ]
    const models = ['error-500', 'malformed', 'cut-off'].map((model) => `sim-openai/${model}`)
    const headers = { 'content-type': 'application/json' }
    for (let round = 0; round < 4; round++) {
      for (const body of bodies) {
        await using connection = await dial(world.url)
        const answer = await connection.send(requestBytes(world.key, { body, headers })).answer()
        expect(answer.status).toBeLessThan(500)
      }
      for (const model of models) {
        await using connection = await ask(world, { model, stream: round % 2 === 0 })
        await connection.answer().catch(() => connection.ended())
      }
      const leaving = await ask(world, { model: 'raw/hang' })
      await sleep(20)
      leaving.socket.resetAndDestroy()
    }
    await using slow = await dial(world.url)
    slow.send(requestBytes(world.key, { body: '{"model":"chat"}' }).subarray(0, -3))
    expect((await slow.answer()).status).toBe(408)
  })
})

describe('server.limits.bytesInFlight', () => {
  let world: FaultWorld
  beforeAll(async () => {
    world = await worldWith({ bytesInFlight: '1MiB', requestBody: '1000KiB' })
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await nothingInFlight(world)
    // All that was held has been given back, or this would not fit.
    await using next = await ask(world, sized('raw/fine', 950))
    expect((await next.answer()).status).toBe(200)
    await world.assertLivesOn()
  })

  const sized = (model: string, kibibytes: number) => ({
    model,
    content: 'x'.repeat(kibibytes * 1024),
  })

  test('a body that finds no room is told 503, and a small one is served', async () => {
    for (let round = 0; round < 4; round++) {
      const calls = upstream.calls.length
      await using held = await ask(world, sized('raw/hang', 600))
      await eventually('the call', () => upstream.calls.length > calls)

      await using refused = await ask(world, sized('raw/fine', 600))
      assertOverloaded(await refused.answer())
      await using small = await ask(world, { model: 'raw/fine' })
      expect((await small.answer()).status).toBe(200)

      held.socket.destroy()
      await nothingInFlight(world)
    }
  })

  test('a body that is still on its way counts as well', async () => {
    await using slow = await dial(world.url)
    slow.send(callBytes(world, sized('raw/fine', 800)).subarray(0, -100))
    await sleep(200)

    await using refused = await ask(world, sized('raw/fine', 300))
    assertOverloaded(await refused.answer())
  })

  test('a whole answer that finds no room is told 503', async () => {
    for (let round = 0; round < 3; round++) {
      await using connection = await ask(world, { model: 'raw/eight' })
      assertOverloaded(await connection.answer())
    }
  })
})

test('a stream that finds no room for its beginning is told 503, not cut', async () => {
  await using world = await worldWith({ bytesInFlight: '8KiB' })
  const content = 'x'.repeat(7 * 1024 + 512)
  await using connection = await ask(world, { model: 'raw/stream', stream: true, content })

  assertOverloaded(await connection.answer())
  await nothingInFlight(world)
  await world.assertLivesOn()
})

test('answers that clients do not take count as bytes in flight', async () => {
  await using world = await worldWith({ bytesInFlight: '32MiB' })
  const clients = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const connection = await dial(world.url)
      connection.socket.pause()
      return connection.send(callBytes(world, { model: 'raw/eight' }))
    }),
  )
  await sleep(2_000)
  for (const client of clients) client.socket.resume()
  await eventually('all answers', () => clients.every(({ length }) => length > 20))
  const statuses = clients.map((client) => client.text.slice('HTTP/1.1 '.length).slice(0, 3))
  await closeAll(clients)

  // Three answers of 8 MiB fit, and a piece of a fourth.
  expect(new Set(statuses)).toEqual(new Set(['200', '503']))
  expect(statuses.filter((status) => status === '200').length).toBeLessThan(8)
})

describe('server.limits.connections', () => {
  let world: FaultWorld
  beforeAll(async () => {
    const timeouts = { body: '500ms', keepAlive: '1s' }
    world = await worldWith({ connections: 6 }, { timeouts })
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })

  const models = () => requestBytes(world.key, { method: 'GET', path: '/v1/models' })

  /** Opens so many connections that are all served. */
  async function openServed(count: number): Promise<RawConnection[]> {
    return eventually(
      `room for ${count} connections`,
      async () => {
        const open: RawConnection[] = []
        for (let index = 0; index < count; index++)
          open.push((await dial(world.url)).send(models()))
        const answers = await Promise.all(open.map((one) => one.answer().catch(() => null)))
        if (answers.every((answer) => answer?.status === 200)) return open
        await closeAll(open)
        return null
      },
      { within: 6_000 },
    )
  }

  test('one more is refused, and there is room again afterwards', async () => {
    for (let round = 0; round < 2; round++) {
      const open = await openServed(6)
      await using extra = await dial(world.url)
      extra.send(models())
      await extra.ended()
      expect(extra.answers().filter(({ status }) => status < 400)).toEqual([])
      const kept = open.map((connection) => connection.send(models()).answer(2))
      expect((await Promise.all(kept)).map(({ status }) => status)).toEqual(open.map(() => 200))

      await closeAll(open)
      await eventually('room', () =>
        world.fetch('/v1/models').then(
          ({ ok }) => ok,
          () => false,
        ),
      )
    }
  })

  test('one more is told 503 and when to try again', async () => {
    const open = await openServed(6)
    await using extra = await dial(world.url)
    extra.send(models())
    await extra.ended()
    await closeAll(open)

    expect(extra.answers().map(({ status }) => status)).toEqual([503])
    expect(extra.answers()[0]?.headers['retry-after']).toMatch(/^[1-9]/)
  })

  test('a connection whose client stands still behind a full buffer is given back', async () => {
    const stuck = await Promise.all(
      [1, 2, 3].map(async () => {
        const connection = await dial(world.url)
        connection.socket.pause()
        return connection.send(callBytes(world, { model: 'raw/flood', stream: true }))
      }),
    )
    const floods = () => upstream.calls.filter(({ model }) => model === 'flood')
    await eventually('three calls', () => floods().length === 3)
    await eventually('their end', () => floods().every(({ isOver }) => isOver))

    try {
      await closeAll(await openServed(6))
    } finally {
      await closeAll(stuck)
    }
  })
})
