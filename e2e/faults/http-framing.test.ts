import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startFaultWorld, type FaultWorld } from './support/fault-world.ts'
import type { RawAnswer } from './support/raw-answer.ts'
import { chunkedRequest, dial, requestBytes } from './support/raw-connection.ts'
import { assertRefusal } from './support/refusals.ts'

let world: FaultWorld

beforeAll(async () => {
  world = await startFaultWorld({
    configuration: {
      server: { limits: { headers: '8KiB' }, timeouts: { headers: '700ms', body: '700ms' } },
    },
  })
})
afterEach(async () => world.assertLivesOn())
afterAll(async () => {
  await world?.[Symbol.asyncDispose]()
})

const chat = (content: string, model = 'chat') =>
  JSON.stringify({ model, messages: [{ role: 'user', content }] })
const unparsable = () => world.metric('sluice_unparsable_requests_total')
const models = () => requestBytes(world.key, { method: 'GET', path: '/v1/models' }).toString()

/** What is sent is refused as no HTTP, and nothing of it goes upstream. */
async function assertNoRequest(bytes: string | Buffer, status = 400): Promise<void> {
  const seen = world.simulator.requests.length
  await using connection = await dial(world.url)
  connection.send(bytes)

  const answer = await connection.answer()
  assertUnparsable(answer, status)
  await connection.ended()
  expect(connection.answers()).toHaveLength(1)
  expect(world.simulator.requests.length).toBe(seen)
}

function assertUnparsable(answer: RawAnswer, status: number): void {
  expect(answer.status).toBe(status)
  expect(answer.headers['connection']).toBe('close')
  expect(answer.body === '' ? null : JSON.parse(answer.body)).toEqual({
    error: {
      message: expect.any(String),
      type: 'invalid_request_error',
      param: null,
      code: status === 431 ? 'headers_too_large' : 'invalid_request',
      decision_id: null,
    },
  })
}

/** How many lines the decision log has, once those of what went before have come. */
async function recorded(): Promise<number> {
  await sleep(300)
  return (await world.logLines()).length
}

const head = (...lines: string[]) =>
  [
    'POST /v1/chat/completions HTTP/1.1',
    'Host: gateway.test',
    `Authorization: Bearer ${world.key}`,
    'Content-Type: application/json',
    ...lines,
    '',
    '',
  ].join('\r\n')
const body = chat('hello')
const inChunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
const smuggled = () => requestBytes(world.key, { body: chat('smuggled') }).toString()

const malformed: Readonly<Record<string, () => string | Buffer>> = {
  'letters and nothing else': () => 'hello\r\n\r\n',
  'bytes of chance': () =>
    Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 197 + 131) % 256)),
  'a TLS handshake': () => Buffer.from('16030100c8010000c40303', 'hex'),
  "HTTP/2's preface": () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'a method that nobody knows': () => models().replace('GET', 'BREW'),
  'a method in small letters': () => models().replace('GET', 'get'),
  'a version of the future': () => models().replace('HTTP/1.1', 'HTTP/9.9'),
  'a blank in the path': () => models().replace('/v1/models', '/v1 /models'),
  'a null byte in a header': () => models().replace('gateway.test', 'gateway\0test'),
  'a header without a colon': () => models().replace('host:', 'x-nothing\r\nhost:'),
  'a header without a name': () => models().replace('host:', ': nothing\r\nhost:'),
  'a blank before a colon': () => head(`Content-Length : ${body.length}`) + body,
  'a folded header': () => head(`Content-Length: ${body.length}`, 'x-folded: a', ' b') + body,
  'a folded transfer-encoding': () => head('Transfer-Encoding:', ' chunked') + inChunks,
  'a bare line feed after a header': () =>
    head(`Content-Length: ${body.length}\nTransfer-Encoding: chunked`) + body,
  'bare line feeds everywhere': () => models().replaceAll('\r\n', '\n'),
  'a bare carriage return in a header': () => models().replace('gateway.test', 'gateway\rtest'),
  'length and chunks': () =>
    head(`Content-Length: ${body.length}`, 'Transfer-Encoding: chunked') + inChunks + smuggled(),
  'chunks and length': () =>
    head('Transfer-Encoding: chunked', 'Content-Length: 4') + inChunks + smuggled(),
  'two lengths that differ': () =>
    head('Content-Length: 4', `Content-Length: ${body.length}`) + body,
  'two lengths that agree': () =>
    head(`Content-Length: ${body.length}`, `Content-Length: ${body.length}`) + body,
  'two lengths in one header': () => head(`Content-Length: ${body.length}, ${body.length}`) + body,
  'a length below nothing': () => head('Content-Length: -1') + body,
  'a length with a plus': () => head(`Content-Length: +${body.length}`) + body,
  'a length in hexadecimal': () => head(`Content-Length: 0x${body.length.toString(16)}`) + body,
  'a length beyond all numbers': () => head(`Content-Length: ${'9'.repeat(30)}`) + body,
  'an empty length': () => head('Content-Length: ') + body,
  'a coding behind chunked': () => head('Transfer-Encoding: chunked, identity') + inChunks,
  'chunked twice': () =>
    head('Transfer-Encoding: chunked', 'Transfer-Encoding: identity') + inChunks,
  'chunked with a vertical tab': () => head('Transfer-Encoding: \u000bchunked') + inChunks,
}

const tooLong: Readonly<Record<string, () => string>> = {
  'one header that is too long': () => `x-long: ${'x'.repeat(9_000)}\r\n`,
  'many short headers': () => 'x-short: 1\r\n'.repeat(2_000),
  'a key that is too long': () => `x-api-key: ${'k'.repeat(1024 * 1024)}\r\n`,
  'a header that never ends': () => 'x'.repeat(200_000),
}

describe('bytes that are no request', () => {
  let countedBefore = 0
  let recordedBefore = 0
  let sent = 0

  beforeAll(async () => {
    countedBefore = await unparsable()
    recordedBefore = await recorded()
  })
  beforeEach(() => {
    sent++
  })

  test.for(Object.entries(malformed))('answers 400 to %s', async ([, bytes]) => {
    await assertNoRequest(bytes())
  })

  test.for(Object.entries(tooLong))('answers 431 to %s', async ([, more]) => {
    await assertNoRequest(models().replace('host:', `${more()}host:`), 431)
  })

  test('answers 431 to a path that is too long', async () => {
    await assertNoRequest(models().replace('/v1/models', `/v1/models?${'q'.repeat(9_000)}`), 431)
  })

  test('each of these was counted, and none of them recorded', async () => {
    sent--
    expect((await unparsable()) - countedBefore).toBe(sent)
    // One control call follows each.
    expect((await recorded()) - recordedBefore).toBe(sent)
  })
})

test('a request without a host is answered 400 in the form of any other, and counted', async () => {
  const counted = await unparsable()

  await assertNoRequest(models().replace('host: gateway.test\r\n', ''))
  expect(await unparsable()).toBe(counted + 1)
})

test('takes headers just below the limit, however many they are', async () => {
  await using connection = await dial(world.url)
  const many = Array.from({ length: 900 }, (_, index) => `x:${index % 10}\r\n`).join('')
  connection.send(models().replace('host:', `${many}host:`))

  expect((await connection.answer()).status).toBe(200)
})

const brokenBodies: Readonly<Record<string, string>> = {
  'a chunk whose size is no number': `zz\r\n${body}\r\n0\r\n\r\n`,
  'a chunk whose size is below nothing': `-1\r\n${body}\r\n0\r\n\r\n`,
  'a chunk whose size is beyond all numbers': `${'f'.repeat(17)}\r\n${body}`,
  'a chunk that is longer than its size': `4\r\n${body}\r\n0\r\n\r\n`,
  'chunks with bare line feeds': inChunks.replaceAll('\r\n', '\n'),
  'a chunk extension of a megabyte': `4;${'x'.repeat(1024 * 1024)}\r\n`,
}

test('a body with broken framing goes nowhere, and what follows on its connection is not read', async () => {
  const seen = world.simulator.requests.length
  // The bystander.
  const open = 1
  await Promise.all(
    Object.entries(brokenBodies).map(async ([what, chunks]) => {
      await using connection = await dial(world.url)
      connection.send(head('Transfer-Encoding: chunked') + chunks + smuggled())

      await connection.ended()
      const served = connection.answers().filter(({ status }) => status < 400)
      expect({ what, served }).toEqual({ what, served: [] })
    }),
  )

  expect(world.simulator.requests.length).toBe(seen)
  await eventually('the end of the exchanges', async () => {
    return (await world.metric('sluice_exchanges_in_flight')) === open
  })
})

test('a body that cannot be told apart is answered 400', async () => {
  const seen = world.simulator.requests.length
  await Promise.all(
    [
      ['Transfer-Encoding: chunked', 'zz\r\n'],
      ['Transfer-Encoding: xchunked', inChunks],
      ['Transfer-Encoding: gzip', inChunks],
    ].map(async ([line = '', bytes = '']) => {
      await using connection = await dial(world.url)
      connection.send(head(line) + bytes)

      const { status, headers, body: text } = await connection.answer()
      const told = { status, headers: new Headers(headers), text }
      const id = assertRefusal('openai', told, { status: 400, code: 'invalid_request' })
      await connection.ended()
      const logged = await world.logLine((decision) => decision.id === id)
      expect(logged).toMatchObject({ outcome: 'denied', code: 'invalid_request', status: 400 })
    }),
  )
  expect(world.simulator.requests.length).toBe(seen)
})

test('slow headers are answered 400 and closed, counted and not recorded', async () => {
  const [counted, lines] = [await unparsable(), await recorded()]
  await using connection = await dial(world.url)
  for (const byte of models().slice(0, 20)) {
    connection.send(byte)
    await sleep(20)
  }

  const answer = await connection.answer(1, { limit: 4_000 })
  await connection.ended()
  expect(answer.status).toBe(400)
  expect(await unparsable()).toBe(counted + 1)
  expect(await recorded()).toBe(lines)
})

test('slow headers of a second request do not live longer', async () => {
  await using connection = await dial(world.url)
  connection.send(models())
  await connection.answer()
  connection.send(models().slice(0, 30))

  expect((await connection.answer(2, { limit: 4_000 })).status).toBe(400)
  await connection.ended()
})

test('a connection that says nothing is closed', async () => {
  await using connection = await dial(world.url)

  await connection.ended(4_000)
  expect(connection.text).toBe('')
})

test('a slow body is answered 408, with a record', async () => {
  await using connection = await dial(world.url)
  connection.send(requestBytes(world.key, { body }).subarray(0, -10))
  const dripping = setInterval(() => connection.send(' '), 100)

  const { status, headers, body: text } = await connection.answer(1, { limit: 4_000 })
  clearInterval(dripping)
  const told = { status, headers: new Headers(headers), text }
  const id = assertRefusal('openai', told, { status: 408, code: 'request_timeout' })
  await connection.ended(4_000)
  expect(await world.explain(id)).toMatchObject({
    verdict: 'deny',
    code: 'request_timeout',
    outcome: 'denied',
    response: { status: 408 },
  })
})

test('a line end too many between requests is no fault, and does not end a slow answer', async () => {
  await using connection = await dial(world.url)
  connection.send(
    requestBytes(world.key, { body: chat('x', 'sim-openai/lorem;sim:length=20,tps=10') }),
  )
  connection.send('\r\n')

  expect((await connection.answer()).status).toBe(200)
  connection.send(`\r\n${models()}`)
  expect((await connection.answer(2)).status).toBe(200)
})

test('garbage behind a request takes nothing from the answer before it', async () => {
  const counted = await unparsable()
  await using connection = await dial(world.url)
  connection.send(`${models()}garbage\r\n\r\n`)

  await connection.ended()
  const [first, second] = connection.answers()
  expect(first).toMatchObject({ status: 200, isWhole: true })
  expect([undefined, 400]).toContain(second?.status)
  expect(await unparsable()).toBe(counted + 1)
})

test('garbage while an answer is on its way is never part of it, and ends the connection', async () => {
  const counted = await unparsable()
  const seen = world.simulator.requests.length
  await using connection = await dial(world.url)
  const body = {
    ...(JSON.parse(chat('x', 'sim-openai/lorem;sim:length=50,tps=50')) as object),
    stream: true,
  }
  connection.send(requestBytes(world.key, { body: JSON.stringify(body) }))
  await eventually('the first event', () => connection.text.includes('data: '))
  connection.send(`garbage\r\n\r\n${smuggled()}`)

  await connection.ended()
  const answers = connection.answers()
  expect(answers).toHaveLength(1)
  expect(answers[0]?.status).toBe(200)
  expect(answers[0]?.body).not.toContain('invalid_request')
  expect(await unparsable()).toBe(counted + 1)
  expect(world.simulator.requests.slice(seen).some((call) => call.body.includes('smuggled'))).toBe(
    false,
  )
})

test('pipelined requests are answered in order, also when later ones are ready earlier', async () => {
  await using connection = await dial(world.url)
  const delays = [300, 0, 150, 0, 50]
  connection.send(
    Buffer.concat(
      delays.map((latency, index) =>
        requestBytes(world.key, {
          body: chat(`number ${index}`, `sim-openai/echo;sim:latency=${latency}`),
        }),
      ),
    ),
  )

  await connection.answer(delays.length)
  const said = connection.answers().map((answer) => /number \d/.exec(answer.body)?.[0])
  expect(said).toEqual(delays.map((_, index) => `number ${index}`))
})

test('two hundred requests in one packet are all answered', async () => {
  await using connection = await dial(world.url)
  connection.send(models().repeat(200))

  await connection.answer(200)
  expect(new Set(connection.answers().map(({ status }) => status))).toEqual(new Set([200]))
})

test('a refused body is skipped whole: what it holds is not taken for a request', async () => {
  await using connection = await dial(world.url)
  const seen = world.simulator.requests.length
  connection.send(requestBytes('sk-sluice-nobody-knows-this-key', { body: smuggled() }))
  connection.send(chunkedRequest('sk-sluice-nobody-knows-this-key', smuggled()))
  connection.send(models())

  await connection.answer(3)
  expect(connection.answers().map(({ status }) => status)).toEqual([401, 401, 200])
  expect(world.simulator.requests.length).toBe(seen)
})

test('a client of HTTP/1.0 gets a whole answer and the end of its connection', async () => {
  await using connection = await dial(world.url)
  connection.send(requestBytes(world.key, { version: 'HTTP/1.0', headers: { host: null }, body }))

  const answer = await connection.answer()
  expect(answer).toMatchObject({ status: 200, isWhole: true })
  expect(answer.headers['transfer-encoding']).toBeUndefined()
  await connection.ended()
})

test('a client of HTTP/1.0 gets a stream without chunks', async () => {
  await using connection = await dial(world.url)
  connection.send(
    requestBytes(world.key, {
      version: 'HTTP/1.0',
      headers: { host: null },
      body: JSON.stringify({ ...(JSON.parse(body) as object), stream: true }),
    }),
  )

  await connection.ended()
  const [answer] = connection.answers()
  expect(answer?.headers['transfer-encoding']).toBeUndefined()
  expect(answer?.body).toMatch(/^data: [^]*\ndata: \[DONE\]\n\n$/)
})

test("a proxy's absolute form is a path like any other", async () => {
  await using connection = await dial(world.url)
  const path = 'http://somewhere.else.test/v1/models?x=http://y/'
  connection.send(requestBytes(world.key, { method: 'GET', path }))
  connection.send(
    requestBytes(world.key, { path: 'HTTPS://a.test:8443/v1/chat/completions', body }),
  )
  connection.send(requestBytes(world.key, { method: 'GET', path: 'http://a.test' }))
  connection.send(requestBytes(world.key, { method: 'GET', path: 'ftp://a.test/v1/models' }))

  await connection.answer(4)
  expect(connection.answers().map(({ status }) => status)).toEqual([200, 200, 404, 404])
})

test.for([
  '*',
  '//v1/models',
  '/v1/models/../chat/completions',
  '/v1/%63hat/completions',
  '/V1/models',
  '/v1/models%00',
])('there is nothing at %s', async (path) => {
  await using connection = await dial(world.url)
  connection.send(requestBytes(world.key, { method: 'GET', path }))

  expect((await connection.answer()).status).toBe(404)
})

test.for([
  ['HEAD', '/v1/chat/completions', 'POST'],
  ['GET', '/v1/chat/completions', 'POST'],
  ['OPTIONS', '/v1/chat/completions', 'POST'],
  ['PUT', '/v1/messages', 'POST'],
  ['DELETE', '/v1/messages', 'POST'],
  ['PATCH', '/v1/chat/completions', 'POST'],
  ['POST', '/v1/models', 'GET'],
  ['QUERY', '/v1/models', 'GET'],
] as const)('%s %s is answered 405 and told what is allowed', async ([method, path, allowed]) => {
  await using connection = await dial(world.url)
  const answer = await connection
    .send(requestBytes(world.key, { method, path }))
    .answer(1, { toMethod: method })

  expect(answer.status).toBe(405)
  expect(answer.headers['allow']).toBe(allowed)
  const line = await world.logLine(({ id }) => id === answer.headers['x-sluice-decision'])
  expect(line).toMatchObject({ code: 'method_not_allowed', outcome: 'denied', status: 405 })
})

test('CONNECT opens no tunnel', async () => {
  await using connection = await dial(world.url)
  const { host } = new URL(world.simulator.url)
  connection.send(`CONNECT ${host} HTTP/1.1\r\nhost: ${host}\r\n\r\n${models()}`)

  await connection.ended()
  expect(connection.answers().filter(({ status }) => status < 400)).toEqual([])
})

test.for(['websocket', 'h2c'])(
  'an upgrade to %s is not taken up: the request is answered, and so is the next',
  async (upgrade) => {
    const headers = { connection: 'upgrade, http2-settings', upgrade }
    await using connection = await dial(world.url)
    connection.send(requestBytes(world.key, { method: 'GET', path: '/v1/models', headers }))
    expect((await connection.answer()).status).toBe(200)

    connection.send(models())
    expect((await connection.answer(2)).status).toBe(200)
  },
)

test('an expectation that nobody knows is refused, and the connection does not hang', async () => {
  await using connection = await dial(world.url)
  connection.send(requestBytes(world.key, { headers: { expect: '200-maybe' }, body }))

  expect((await connection.answer()).status).toBe(417)
})
