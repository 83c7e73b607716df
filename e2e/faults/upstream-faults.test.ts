import { gzipSync } from 'node:zlib'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { ask } from './support/client.ts'
import { rawCredential, startFaultWorld, type FaultWorld } from './support/fault-world.ts'
import {
  answerHead,
  chatAnswer,
  startRawUpstream,
  wholeAnswer,
  type RawUpstream,
  type Script,
} from './support/raw-upstream.ts'
import { assertRefusal, ExpectedDecisions, type Dialect } from './support/refusals.ts'
import type { RawAnswer } from './support/raw-answer.ts'

/** Stands in upstream bodies that no caller may see. */
const inside = 'inside-2c9e'
const large = chatAnswer('x'.repeat(3 * 1024 * 1024))
const compressed = gzipSync(chatAnswer(`said ${'well '.repeat(20_000)}`), { level: 0 })

const errorBody = (call: { head: string }) =>
  JSON.stringify({ error: { message: `${inside} ${call.head}`, type: 'x', code: inside } })

const withStatus =
  (status: number, headers: Record<string, string> = {}): Script =>
  (call) => {
    call.socket.write(wholeAnswer(status, errorBody(call), headers))
  }

const rawBytes =
  (bytes: string | Buffer, more: { end?: boolean; reset?: boolean } = {}): Script =>
  async ({ socket }) => {
    socket.write(bytes)
    if (more.end === true) socket.end()
    if (more.reset !== true) return
    await sleep(50)
    socket.resetAndDestroy()
  }

const headText = (headers: Record<string, string>) => answerHead(200, headers).toString()

const whole = (body: string | Buffer, headers: Record<string, string> = {}): Script =>
  rawBytes(wholeAnswer(200, body, headers))

const scripts: Record<string, Script> = {
  fine: whole(chatAnswer('fine')),
  hang: () => undefined,
  'headers-then-nothing': rawBytes(answerHead(200, { 'content-length': '100' })),
  'half-then-nothing': rawBytes(`${headText({ 'content-length': '100' })}{"id":`),
  drip: ({ socket }) => {
    socket.write(answerHead(200, { 'content-length': '1000' }))
    const timer = setInterval(() => socket.write(' '), 100)
    socket.once('close', () => clearInterval(timer))
  },
  'close-at-once': ({ socket }) => void socket.end(),
  'reset-at-once': ({ socket }) => void socket.resetAndDestroy(),
  'half-a-head': rawBytes('HTTP/1.1 200 O', { end: true }),
  'no-http': rawBytes(`220 ${inside} ESMTP\r\n250 OK\r\n`),
  'zero-bytes': rawBytes(Buffer.alloc(1000)),
  'body-too-short': rawBytes(`${headText({ 'content-length': '100' })}{"id":"${inside}"`, {
    end: true,
  }),
  'reset-in-body': rawBytes(`${headText({ 'content-length': '100' })}{"id":"${inside}"`, {
    reset: true,
  }),
  'bad-chunk': rawBytes(`${headText({ 'transfer-encoding': 'chunked' })}zz\r\n${inside}\r\n`),
  'length-and-chunks': rawBytes(
    `${headText({ 'transfer-encoding': 'chunked', 'content-length': '3' })}3\r\n${inside}\r\n0\r\n\r\n`,
  ),
  'header-flood': rawBytes(
    answerHead(
      200,
      Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`x-${at}`, inside])),
    ),
  ),
  'header-without-end': (call) => {
    call.socket.write('HTTP/1.1 200 OK\r\nx-long: ')
    call.flood(Buffer.alloc(64 * 1024, 'x'))
  },
  'gzip-broken': whole(Buffer.from(`${inside} is no gzip`), { 'content-encoding': 'gzip' }),
  'gzip-cut': whole(compressed.subarray(0, -20), { 'content-encoding': 'gzip' }),
  'gzip-broken-later': async ({ socket }) => {
    const spoiled = Buffer.concat([compressed.subarray(0, 20_000), Buffer.alloc(80_000, 0xff)])
    socket.write(
      answerHead(200, { 'content-encoding': 'gzip', 'content-length': String(spoiled.length) }),
    )
    for (let at = 0; at < spoiled.length; at += 10_000) {
      socket.write(spoiled.subarray(at, at + 10_000))
      await sleep(10)
    }
  },
  'gzip-broken-then-more': ({ socket }) => {
    socket.write(
      Buffer.concat([
        answerHead(200, { 'content-encoding': 'gzip', 'content-length': '1000000' }),
        Buffer.from('this is no gzip'),
      ]),
    )
    const more = setInterval(() => socket.write('{'), 50)
    socket.once('close', () => clearInterval(more))
  },
  gzip: whole(compressed, { 'content-encoding': 'gzip' }),
  'header-beyond-latin1': whole(chatAnswer('fine'), { 'x-request-id': 'r-\u65e5\u672c' }),
  'header-of-bytes': rawBytes(
    Buffer.concat([
      Buffer.from('HTTP/1.1 200 OK\r\nx-note: '),
      Buffer.from([0xe9, 0xff, 0x80]),
      Buffer.from(`\r\ncontent-length: ${chatAnswer('fine').length}\r\n\r\n${chatAnswer('fine')}`),
    ]),
  ),
  'header-of-controls': rawBytes(
    `HTTP/1.1 200 OK\r\nx-note: a\u0001b\u007f\r\ncontent-length: ${chatAnswer('fine').length}\r\n\r\n${chatAnswer('fine')}`,
  ),
  'header-folded': rawBytes(
    `HTTP/1.1 200 OK\r\nx-note: a\r\n b\r\ncontent-length: ${chatAnswer('fine').length}\r\n\r\n${chatAnswer('fine')}`,
  ),
  'no-content': rawBytes('HTTP/1.1 204 No Content\r\n\r\n'),
  interim: rawBytes(
    Buffer.concat([
      Buffer.from('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'.repeat(20)),
      wholeAnswer(200, chatAnswer('fine')),
    ]),
  ),
  'http-1.0': rawBytes(
    `HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n${chatAnswer('fine')}`,
    {
      end: true,
    },
  ),
  html: whole('<!doctype html><p>Welcome</p>', { 'content-type': 'text/html' }),
  'encoded-otherwise': whole('{"zbqry":"enj"}', { 'content-encoding': 'rot13' }),
  empty: whole(''),
  malformed: whole('{"id":"chatcmpl-1","choices":[{"index":0,"mess'),
  large: whole(large),
  'two-for-one': rawBytes(
    Buffer.concat([wholeAnswer(200, chatAnswer('fine')), wholeAnswer(200, chatAnswer(inside))]),
  ),
  operator: whole(chatAnswer('fine'), {
    'set-cookie': inside,
    server: inside,
    'openai-organization': inside,
    'x-ratelimit-remaining-requests': inside,
    'anthropic-ratelimit-tokens-limit': inside,
    'x-sluice-decision': inside,
    'keep-alive': inside,
    'x-request-id': 'request-1',
  }),
}
for (const status of [300, 301, 302, 304, 307, 308]) {
  scripts[`status-${status}`] = withStatus(status, { location: `http://${inside}.test/` })
}
for (const status of [400, 401, 402, 403, 404, 407, 409, 422, 429, 451, 499]) {
  scripts[`status-${status}`] = withStatus(status, { 'retry-after': '7' })
}
for (const status of [500, 501, 502, 503, 504, 520, 529, 599, 600, 999]) {
  scripts[`status-${status}`] = withStatus(status)
}

let upstream: RawUpstream
let world: FaultWorld
const decisions = new ExpectedDecisions()

beforeAll(async () => {
  upstream = await startRawUpstream(scripts)
  const closedPort = await portThatNobodyListensOn()
  const timeouts = { firstToken: '600ms', idle: '600ms' }
  world = await startFaultWorld({
    rawUpstream: upstream.url,
    configuration: {
      server: { limits: { responseBuffer: '1MiB' } },
      providers: {
        raw: { timeouts },
        'raw-anthropic': { timeouts },
        'raw-total': {
          type: 'openai-compatible',
          baseUrl: `${upstream.url}/v1`,
          timeouts: { total: '700ms' },
        },
        'raw-gone': { type: 'openai-compatible', baseUrl: `http://127.0.0.1:${closedPort}/v1` },
      },
    },
  })
})
afterEach(async () => world.assertLivesOn())
afterAll(async () => {
  await world?.[Symbol.asyncDispose]()
  await upstream?.[Symbol.asyncDispose]()
})

async function portThatNobodyListensOn(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answerOf(model: string, dialect: Dialect = 'openai'): Promise<RawAnswer> {
  await using connection = await ask(world, { model, dialect })
  return await connection.answer()
}

const idOf = (answer: RawAnswer) => answer.headers['x-sluice-decision'] ?? ''

const refused: readonly (readonly [script: string, status: number, code: string])[] = [
  ['status-300', 502, 'upstream_failed'],
  ['status-301', 502, 'upstream_failed'],
  ['status-302', 502, 'upstream_failed'],
  ['status-304', 502, 'upstream_failed'],
  ['status-307', 502, 'upstream_failed'],
  ['status-308', 502, 'upstream_failed'],
  ['status-401', 502, 'upstream_rejected'],
  ['status-402', 502, 'upstream_rejected'],
  ['status-403', 502, 'upstream_rejected'],
  ['status-407', 502, 'upstream_rejected'],
  ['status-500', 502, 'upstream_failed'],
  ['status-501', 502, 'upstream_failed'],
  ['status-502', 502, 'upstream_failed'],
  ['status-503', 503, 'upstream_unavailable'],
  ['status-504', 504, 'upstream_timeout'],
  ['status-520', 502, 'upstream_failed'],
  ['status-529', 503, 'upstream_unavailable'],
  ['status-599', 502, 'upstream_failed'],
  ['status-600', 502, 'upstream_failed'],
  ['status-999', 502, 'upstream_failed'],
  ['close-at-once', 502, 'upstream_failed'],
  ['reset-at-once', 502, 'upstream_failed'],
  ['half-a-head', 502, 'upstream_failed'],
  ['no-http', 502, 'upstream_failed'],
  ['zero-bytes', 502, 'upstream_failed'],
  ['body-too-short', 502, 'upstream_failed'],
  ['reset-in-body', 502, 'upstream_failed'],
  ['bad-chunk', 502, 'upstream_failed'],
  ['length-and-chunks', 502, 'upstream_failed'],
  ['header-flood', 502, 'upstream_failed'],
  ['header-without-end', 502, 'upstream_failed'],
  ['gzip-broken', 502, 'upstream_failed'],
  ['gzip-cut', 502, 'upstream_failed'],
  ['gzip-broken-later', 502, 'upstream_failed'],
  ['hang', 504, 'upstream_timeout'],
  ['headers-then-nothing', 504, 'upstream_timeout'],
  ['half-then-nothing', 504, 'upstream_timeout'],
]

test.for(refused)(
  '%s becomes %i %s, and nothing of the answer is shown',
  async ([script, status, code]) => {
    const check = async (provider: string, dialect: Dialect) => {
      const answer = await answerOf(`${provider}/${script}`, dialect)

      const told = { ...answer, headers: new Headers(answer.headers), text: answer.body }
      const id = assertRefusal(dialect, told, { status, code })
      const shown = JSON.stringify(answer)
      expect(shown).not.toContain(inside)
      expect(shown).not.toContain(rawCredential)
      expect(shown).not.toContain(new URL(upstream.url).host)
      expect(answer.headers['x-should-retry']).toBe(
        code === 'upstream_rejected' ? 'false' : undefined,
      )
      decisions.add(id, {
        verdict: 'allow',
        outcome: 'failed',
        code,
        status,
        target: `${provider}/${script}`,
      })
    }
    await Promise.all([check('raw', 'openai'), check('raw-anthropic', 'anthropic')])
  },
)

test('a connection that is refused becomes 502', async () => {
  const answer = await answerOf('raw-gone/any')

  const told = { ...answer, headers: new Headers(answer.headers), text: answer.body }
  const id = assertRefusal('openai', told, { status: 502, code: 'upstream_failed' })
  expect(await world.explain(id)).toMatchObject({
    verdict: 'allow',
    code: 'upstream_failed',
    outcome: 'failed',
    route: {
      chosen: 'raw-gone/any',
      attempts: [
        { target: 'raw-gone/any', status: null, firstByteMs: null, error: 'ECONNREFUSED' },
      ],
    },
    response: { status: 502 },
  })
})

test('a call that timed out is cancelled at the upstream', async () => {
  await answerOf('raw/hang')

  const calls = () => upstream.calls.filter(({ model }) => model === 'hang')
  await eventually('the end of the calls', () => calls().every(({ isOver }) => isOver))
})

test('a 200 that drips for ever ends at the total limit', async () => {
  const answer = await answerOf('raw-total/drip')

  const told = { ...answer, headers: new Headers(answer.headers), text: answer.body }
  const id = assertRefusal('openai', told, { status: 504, code: 'upstream_timeout' })
  decisions.add(id, { outcome: 'failed', code: 'upstream_timeout', status: 504 })
  await eventually('the end of the call', () => upstream.callOf('drip')?.isOver)
})

test.for([400, 404, 409, 422, 429, 451, 499])('%i passes with its bytes', async (status) => {
  const answer = await answerOf(`raw/status-${status}`)

  expect(answer.status).toBe(status)
  expect(answer.body).toContain(inside)
  expect(answer.headers['retry-after']).toBe('7')
  decisions.add(idOf(answer), { verdict: 'allow', status, target: `raw/status-${status}` })
})

test.for(['interim', 'http-1.0', 'header-of-bytes', 'two-for-one'])(
  'an answer is taken from an upstream that is odd in another way: %s',
  async (script) => {
    for (let time = 0; time < 3; time++) {
      const answer = await answerOf(`raw/${script}`)
      expect(answer).toMatchObject({ status: 200, body: chatAnswer('fine'), isWhole: true })
      decisions.add(idOf(answer), { outcome: 'completed', code: null, status: 200 })
    }
  },
)

test.for(['header-beyond-latin1', 'header-of-controls', 'header-folded'])(
  'a header that cannot be said again does not keep the client waiting: %s',
  async (script) => {
    const answer = await answerOf(`raw/${script}`)

    // Without the header, or refused: both are an answer.
    expect([200, 502]).toContain(answer.status)
    await eventually('the end of the exchange', async () => {
      const lines = await world.logLines()
      return lines.some(({ id }) => id === idOf(answer))
    })
  },
)

test('204 passes without a body', async () => {
  const answer = await answerOf('raw/no-content')

  expect(answer).toMatchObject({ status: 204, body: '', isWhole: true })
  expect(answer.headers['content-length']).toBeUndefined()
  expect(answer.headers['transfer-encoding']).toBeUndefined()
  decisions.add(idOf(answer), { outcome: 'completed', status: 204 })
})

const unread = new Map<string, number>()
const unreadable: readonly (readonly [script: string, body: string])[] = [
  ['malformed', '{"id":"chatcmpl-1","choices":[{"index":0,"mess'],
  ['large', large],
  ['html', '<!doctype html><p>Welcome</p>'],
  ['empty', ''],
]

test('a 200 that cannot be read passes untouched, and its record says that it was not read', async () => {
  for (const [script, body] of unreadable) {
    const answer = await answerOf(`raw/${script}`)
    expect(answer).toMatchObject({ status: 200, isWhole: true })
    expect(answer.body === body).toBe(true)
    unread.set(idOf(answer), body.length)
  }

  // Each is a start of the program: the first two say enough.
  const found = await Promise.all([...unread.keys()].slice(0, 2).map((id) => world.explain(id)))
  for (const { id, outcome, code, response } of found) {
    expect({ outcome, code, response }).toMatchObject({
      outcome: 'completed',
      code: null,
      response: { parsed: false, status: 200, bytes: unread.get(id) },
    })
  }
})

test('an encoding that nobody knows passes with its name', async () => {
  const answer = await answerOf('raw/encoded-otherwise')

  expect(answer.headers['content-encoding']).toBe('rot13')
  expect(answer.body).toBe('{"zbqry":"enj"}')
})

test('gzip that nobody asked for is undone', async () => {
  const answer = await answerOf('raw/gzip')

  expect(answer.headers['content-encoding']).toBeUndefined()
  expect(answer.body.startsWith('{"id":"chatcmpl-1"')).toBe(true)
  expect(JSON.parse(answer.body)).toMatchObject({ usage: { total_tokens: 5 } })
})

test('after gzip that breaks, the call is cancelled and nothing of it stays open', async () => {
  const answer = await answerOf('raw/gzip-broken-then-more')
  expect(answer.status).toBe(502)

  const isOver = () => upstream.callOf('gzip-broken-then-more')?.isOver
  await eventually('the end of the call', isOver, { within: 2_000 })
  expect(await world.metric('sluice_exchanges_in_flight')).toBe(1)
})

test('headers that speak of the operator or of the connection are left out', async () => {
  const answer = await answerOf('raw/operator')

  expect(answer.status).toBe(200)
  expect(answer.headers['x-request-id']).toBe('request-1')
  expect(JSON.stringify(answer.headers)).not.toContain(inside)
})

test('an upstream that hangs for some does not slow down the others', async () => {
  const hanging = Array.from({ length: 100 }, () => ask(world, { model: 'raw/hang' }))
  const begun = performance.now()
  expect((await answerOf('raw/fine')).status).toBe(200)
  expect(performance.now() - begun).toBeLessThan(500)

  for (const connection of await Promise.all(hanging)) {
    expect((await connection.answer()).status).toBe(504)
    await connection[Symbol.asyncDispose]()
  }
})

test('every answer above has one record that says the same', async () => {
  await decisions.assertLogged(world)

  const { stdout, stderr } = world.logs()
  const written = stdout + stderr + JSON.stringify(await world.logLines())
  expect(written).not.toContain(inside)
  expect(written).not.toContain(rawCredential)
})

test('explains what an upstream that rejects us did, and not what it said', async () => {
  const decision = await world.explain(idOf(await answerOf('raw/status-401')))

  expect(decision).toMatchObject({
    verdict: 'allow',
    code: 'upstream_rejected',
    outcome: 'failed',
    route: { attempts: [{ target: 'raw/status-401', status: 401, error: null }] },
    response: { status: 502 },
  })
  expect(JSON.stringify(decision)).not.toContain(inside)
  expect(JSON.stringify(decision)).not.toContain(rawCredential)
})
