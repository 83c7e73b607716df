import { gzipSync } from 'node:zlib'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { digestOf, newSecret } from '../support/world.ts'
import { startFaultWorld, type FaultWorld } from './support/fault-world.ts'
import { pour } from './support/pour.ts'
import { dial, requestBytes, type RawRequest } from './support/raw-connection.ts'
import { assertRefusal, ExpectedDecisions, pathOf } from './support/refusals.ts'

let world: FaultWorld
const decisions = new ExpectedDecisions()
const unknownKey = newSecret('sk-sluice-')
const expiredKey = newSecret('sk-sluice-')
const mebibyte = 1024 * 1024

beforeAll(async () => {
  const keys = [{ sha256: digestOf(expiredKey), expires: '2020-01-01' }]
  world = await startFaultWorld({
    configuration: {
      server: { limits: { requestBody: '4MiB' } },
      tenants: { bank: { apps: { former: { team: 'support', roles: ['caller'], keys } } } },
    },
  })
})
afterEach(async () => world.assertLivesOn())
afterAll(async () => {
  await world?.[Symbol.asyncDispose]()
})

const good = JSON.stringify({ model: 'chat', messages: [{ role: 'user', content: 'Hello' }] })

const bodies: Readonly<Record<string, RawRequest>> = {
  'a good body': { body: good },
  'no body': {},
  'broken JSON': { body: '{"model":' },
  'an array': { body: '[]' },
  'a byte order mark': { body: `\ufeff${good}` },
  'invalid UTF-8': { body: Buffer.from([0x7b, 0xff, 0x7d]) },
  'a model that nobody knows': { body: good.replace('chat', 'nobody') },
  '100,000 brackets': { body: '['.repeat(100_000) },
  'another content-type': { body: good, headers: { 'content-type': 'text/plain' } },
  'an unknown content-encoding': { body: good, headers: { 'content-encoding': 'br' } },
  'broken gzip': { body: good, headers: { 'content-encoding': 'gzip' } },
  'a gzip bomb': {
    body: gzipSync(Buffer.alloc(64 * mebibyte)),
    headers: { 'content-encoding': 'gzip' },
  },
  'a length far beyond the limit': { headers: { 'content-length': String(1024 ** 3) } },
  'a length beyond all limits': { headers: { 'content-length': '9007199254740991' } },
  'chunks that never come': { headers: { 'transfer-encoding': 'chunked' } },
}

const keys: Readonly<Record<string, { key: string | null; code: string }>> = {
  'no key': { key: null, code: 'credential_missing' },
  'an unknown key': { key: unknownKey, code: 'credential_invalid' },
  'an expired key': { key: expiredKey, code: 'credential_expired' },
}

const pairs = Object.entries(keys).flatMap(([keyName, presented]) =>
  Object.entries(bodies).map(
    ([bodyName, body]) => [keyName, bodyName, { ...presented, body }] as const,
  ),
)

test.for(pairs)('%s with %s is answered 401', async ([, , { key, code, body }]) => {
  for (const dialect of ['openai', 'anthropic'] as const) {
    const seen = world.simulator.requests.length
    await using connection = await dial(world.url)
    connection.send(requestBytes(key, { ...body, path: pathOf[dialect] }))

    const { status, headers, body: text } = await connection.answer()
    const told = { status, headers: new Headers(headers), text }
    const id = assertRefusal(dialect, told, { status: 401, code })
    expect(headers['x-should-retry']).toBe('false')
    expect(world.simulator.requests.length).toBe(seen)
    decisions.add(id, {
      verdict: 'deny',
      outcome: 'denied',
      code,
      status: 401,
      app: null,
      model: null,
    })
  }
})

test.for([
  ['authorization', (key: string) => `Bearer ${key}`],
  ['authorization', (key: string) => `bEARER  ${key}`],
  ['x-api-key', (key: string) => key],
  ['api-key', (key: string) => key],
  ['x-goog-api-key', (key: string) => key],
] as const)('a key in %s is judged, whether it is good or not', async ([name, value]) => {
  const statusWith = async (key: string) => {
    await using connection = await dial(world.url)
    const headers = { [name]: value(key) }
    return (await connection.send(requestBytes(null, { headers, body: good })).answer()).status
  }
  expect([await statusWith(world.key), await statusWith(unknownKey)]).toEqual([200, 401])
})

test.for([
  ['Basic', { authorization: `Basic ${Buffer.from('user:password').toString('base64')}` }],
  ['a bare key', { authorization: unknownKey }],
  ['a bearer of nothing', { authorization: 'Bearer ' }],
  ['a signature', { authorization: 'AWS4-HMAC-SHA256 Credential=a/b, Signature=c' }],
  ['a key of bytes', { 'x-api-key': '\u00ff\u00fe\u0080' }],
  ['a key of 7 KB', { 'x-api-key': 'k'.repeat(7_000) }],
] as const)('%s is no key: 401', async ([, headers]) => {
  await using connection = await dial(world.url)
  connection.send(requestBytes(null, { headers, body: good }))

  const { status, headers: told, body: text } = await connection.answer()
  assertRefusal(
    'openai',
    { status, headers: new Headers(told), text },
    { status: 401, code: 'credential_invalid' },
  )
})

test('of two keys the first counts, so that a second one opens nothing', async () => {
  await using connection = await dial(world.url)
  const bytes = requestBytes(unknownKey, { body: good })
    .toString()
    .replace('\r\n', `\r\nx-api-key: ${world.key}\r\n`)
  connection.send(bytes)

  expect((await connection.answer()).status).toBe(401)
})

test('a path that leads nowhere is told so without a key; any other asks for one', async () => {
  const statusOf = async (method: string, path: string) => {
    const response = await fetch(world.url + path, { method })
    await response.text()
    return response.status
  }
  expect(await statusOf('GET', '/v1/models')).toBe(401)
  expect(await statusOf('GET', '/nowhere')).toBe(404)
})

test('who waits for "100 Continue" with a bad key is told 401 and nothing else', async () => {
  await using connection = await dial(world.url)
  const headers = { expect: '100-continue', 'content-length': String(1024 ** 3) }
  connection.send(requestBytes(unknownKey, { headers }))

  const answer = await connection.answer()
  expect(answer.status).toBe(401)
  expect(answer.headers['connection']).toBe('close')
  await connection.ended()
  expect(connection.answers()).toHaveLength(1)
})

test('who waits for "100 Continue" with too large a body is told 413 and nothing else', async () => {
  await using connection = await dial(world.url)
  const headers = { expect: '100-continue', 'content-length': String(1024 ** 3) }
  connection.send(requestBytes(world.key, { headers }))

  expect((await connection.answer()).status).toBe(413)
  await connection.ended()
  expect(connection.answers()).toHaveLength(1)
})

test('who waits for "100 Continue" with a good key gets it, and then its answer', async () => {
  await using connection = await dial(world.url)
  const request = requestBytes(world.key, { headers: { expect: '100-continue' }, body: good })
  const bodyAt = request.indexOf('\r\n\r\n') + 4
  connection.send(request.subarray(0, bodyAt))
  expect((await connection.answer(1)).status).toBe(100)

  connection.send(request.subarray(bodyAt))
  expect((await connection.answer(2)).status).toBe(200)
})

test('a gigabyte is answered and not taken, with a good key and with a bad one', async () => {
  const before = await world.residentMebibytes()
  const kinds = [
    { key: unknownKey, status: 401, chunked: false },
    { key: unknownKey, status: 401, chunked: true },
    { key: world.key, status: 413, chunked: false },
    { key: world.key, status: 413, chunked: true },
  ]
  await Promise.all(
    kinds.map(async ({ key, status, chunked }) => {
      const { answer, sent } = await pour(world.url, { key, bytes: 1024 ** 3, chunked })

      expect(answer?.status).toBe(status)
      // The limit, what is thrown away after it, and what the system keeps on its way.
      expect(sent / mebibyte).toBeLessThan(4 + 16)
      decisions.add(answer?.headers['x-sluice-decision'] ?? '', { outcome: 'denied', status })
    }),
  )
  expect((await world.residentMebibytes()) - before).toBeLessThan(64)
})

test('forty clients that pour a gigabyte each cost no memory', async () => {
  const before = await world.residentMebibytes()
  const poured = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      pour(world.url, { key: unknownKey, bytes: 1024 ** 3, chunked: index % 2 === 0 }),
    ),
  )

  expect(new Set(poured.map(({ answer }) => answer?.status))).toEqual(new Set([401]))
  expect((await world.residentMebibytes()) - before).toBeLessThan(100)
})

test('every 401 has its record, and no key that was presented stands anywhere', async () => {
  await decisions.assertLogged(world)

  const { stdout, stderr } = world.logs()
  const written = stdout + stderr + JSON.stringify(await world.logLines())
  expect(written).not.toContain(unknownKey)
  expect(written).not.toContain(expiredKey)
})

test('explains a refused key without naming it', async () => {
  const response = await world.post('/v1/messages', { model: 'chat' }, { 'x-api-key': unknownKey })
  await sleep(200)

  const decision = await world.explain(response.headers.get('x-sluice-decision') ?? '')
  expect(decision).toMatchObject({
    verdict: 'deny',
    code: 'credential_invalid',
    outcome: 'denied',
    principal: null,
    request: { protocol: 'anthropic-messages', endpoint: 'messages', model: null, bytes: 0 },
    response: { status: 401 },
  })
  expect(decision.steps.at(-1)).toMatchObject({ stage: 'authenticate', verdict: 'deny' })
  expect(JSON.stringify(decision)).not.toContain(unknownKey)
})
