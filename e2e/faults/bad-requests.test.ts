import { deflateSync, gzipSync, brotliCompressSync, zstdCompressSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startFaultWorld, type FaultWorld } from './support/fault-world.ts'
import { dial, chunkedRequest, requestBytes } from './support/raw-connection.ts'
import { assertRefusal, ExpectedDecisions, pathOf, type Dialect } from './support/refusals.ts'

const bodyLimit = 1024 * 1024
/** Stands in refused bodies; no answer, record or log may quote it. */
const planted = 'planted-7f3a'

let world: FaultWorld
const decisions = new ExpectedDecisions()

beforeAll(async () => {
  world = await startFaultWorld({
    configuration: { server: { limits: { requestBody: '1MiB' } } },
  })
})
afterEach(async () => world.assertLivesOn())
afterAll(async () => {
  await world?.[Symbol.asyncDispose]()
})

interface Sent {
  readonly body: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

const send = (dialect: Dialect, { body, headers }: Sent) =>
  world.fetch(pathOf[dialect], {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: new Uint8Array(Buffer.from(body)),
  })

async function assertRefused(sent: Sent, expected: { status: number; code: string }) {
  for (const dialect of ['openai', 'anthropic'] as const) {
    const before = world.simulator.requests.length
    const response = await send(dialect, sent)
    const text = await response.text()
    const id = assertRefusal(
      dialect,
      { status: response.status, headers: response.headers, text },
      expected,
    )
    expect(text).not.toContain(planted)
    expect(response.headers.get('x-should-retry')).toBe('false')
    expect(world.simulator.requests.length).toBe(before)
    decisions.add(id, {
      verdict: 'deny',
      outcome: 'denied',
      code: expected.code,
      status: expected.status,
      app: 'desk',
      target: null,
    })
  }
}

async function assertServed(sent: Sent): Promise<string> {
  const response = await send('openai', sent)
  const text = await response.text()
  expect({ status: response.status, text }).toEqual({ status: 200, text: expect.any(String) })
  decisions.add(response.headers.get('x-sluice-decision') ?? '', {
    outcome: 'completed',
    code: null,
  })
  return text
}

const messages = `"messages":[{"role":"user","content":"${planted}"}]`
const good = `{"model":"chat",${messages}}`
const nested = (depth: number) =>
  `{"model":"chat",${messages},"metadata":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`

const invalid: Readonly<Record<string, string | Buffer>> = {
  'JSON that ends too early': `{"model":"chat","messages":[{"role":"user","content":"${planted}`,
  'JSON with something behind it': `${good}{}`,
  'JSON with a comment': `{/* ${planted} */"model":"chat",${messages}}`,
  'JSON with a comma too many': `{"model":"chat",${messages},}`,
  'text that is no JSON': planted,
  'a form': `model=chat&messages=${planted}`,
  'nothing at all': '',
  'blanks only': ' \r\n\t ',
  'an array': `[${good}]`,
  'a string': `"${planted}"`,
  'a number': '17',
  null: 'null',
  'no model': `{${messages}}`,
  'a model that is null': `{"model":null,${messages}}`,
  'a model that is a number': `{"model":7,${messages}}`,
  'a model that is a list': `{"model":["chat"],${messages}}`,
  'a model that is an empty text': `{"model":"",${messages}}`,
  'messages that are a text': `{"model":"chat","messages":"${planted}"}`,
  'messages that are an object': `{"model":"chat","messages":{"role":"${planted}"}}`,
  'stream: "yes"': `{"model":"chat","stream":"yes",${messages}}`,
  'stream: 1': `{"model":"chat","stream":1,${messages}}`,
  'stream: {}': `{"model":"chat","stream":{},${messages}}`,
  'a byte order mark': `\ufeff${good}`,
  'UTF-16': Buffer.from(`\ufeff${good}`, 'utf16le'),
  'invalid UTF-8 in a text': Buffer.concat([
    Buffer.from('{"model":"chat","messages":[{"role":"user","content":"'),
    Buffer.from([0xc3, 0x28]),
    Buffer.from('"}]}'),
  ]),
  'an overlong UTF-8 form': Buffer.concat([
    Buffer.from('{"model":"chat","x":"'),
    Buffer.from([0xc0, 0xaf]),
    Buffer.from(`",${messages}}`),
  ]),
  'half a surrogate pair in UTF-8': Buffer.concat([
    Buffer.from('{"model":"chat","x":"'),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from(`",${messages}}`),
  ]),
  'a control character in a text': `{"model":"chat","x":"\u0001",${messages}}`,
  'two models': `{"model":"chat","model":"restricted",${messages}}`,
  'two models that say the same': `{"model":"chat","model":"chat",${messages}}`,
  'two models, one spelled with escapes': `{"model":"chat","\\u006dodel":"restricted",${messages}}`,
  'two lists of messages': `{"model":"chat",${messages},"messages":[]}`,
  'a member twice deep inside': `{"model":"chat","messages":[{"role":"user","content":[{"type":"text","text":"a","text":"${planted}"}]}]}`,
  'a member twice deep inside, with escapes': `{"model":"chat","messages":[{"role":"user","r\\u006fle":"system","content":"${planted}"}]}`,
  'an empty name twice': `{"model":"chat","":1,"":2,${messages}}`,
  '__proto__ twice': `{"model":"chat","__proto__":{},"__proto__":{},${messages}}`,
  'a number for a name twice': `{"model":"chat","x":{"1":1,"1":2},${messages}}`,
  'nesting of 257': nested(257),
  'nesting of 100,000': nested(100_000),
  'objects in objects, 10,000 deep': `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
  '100,000 brackets that never close': '['.repeat(100_000),
}

test.for(Object.entries(invalid))('refuses %s with 400', async ([, body]) => {
  await assertRefused({ body }, { status: 400, code: 'invalid_request' })
})

const wellFormed: Readonly<Record<string, string>> = {
  'nesting of 256': nested(256),
  'the same name in different objects': `{"model":"chat","metadata":{"model":"a","role":"b"},${messages}}`,
  'colons, quotes and backslashes in texts': `{"model":"chat","user":"a\\":\\"b\\\\","x:y":"::\\\\\\"::",${messages}}`,
  '__proto__ once': `{"model":"chat","__proto__":{"model":"x"},${messages}}`,
  'a model spelled with escapes': `{"\\u006dodel":"ch\\u0061t",${messages}}`,
  'blanks wherever they may stand': ` \r\n{ "model"\t:\n"chat" ,${messages} }\n\n`,
  'half a surrogate pair, escaped': `{"model":"chat","user":"\\ud800",${messages}}`,
  'parameters that nobody knows': `{"model":"chat","frobnicate":[1e400,-0,null],${messages}}`,
}

test.for(Object.entries(wellFormed))('takes %s', async ([, body]) => {
  expect(await assertServed({ body })).toContain(planted)
})

const otherTypes = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/jsonx',
  'text/json-seq',
  'application/json; charset=utf-16',
  'application/json; charset=latin1',
  'application/json; charset="iso-8859-1"',
  'json',
]

test.for(otherTypes)('refuses the content-type %s with 415', async (type) => {
  await assertRefused(
    { body: good, headers: { 'content-type': type } },
    { status: 415, code: 'unsupported_media_type' },
  )
})

test.for([
  'application/json; charset=UTF-8',
  'application/JSON;charset="utf-8"',
  'application/vnd.api+json',
])('takes the content-type %s', async (type) => {
  await assertServed({ body: good, headers: { 'content-type': type } })
})

const otherEncodings: Readonly<Record<string, Buffer>> = {
  br: brotliCompressSync(good),
  deflate: deflateSync(good),
  zstd: zstdCompressSync(good),
  compress: Buffer.from(good),
  'gzip, gzip': gzipSync(gzipSync(good)),
  'gzip, identity': gzipSync(good),
  'gzip;q=1': gzipSync(good),
}

test.for(Object.entries(otherEncodings))(
  'refuses the content-encoding %s with 415',
  async ([encoding, body]) => {
    await assertRefused(
      { body, headers: { 'content-encoding': encoding } },
      { status: 415, code: 'unsupported_media_type' },
    )
  },
)

const brokenGzip: Readonly<Record<string, Buffer>> = {
  'no gzip at all': Buffer.from(good),
  nothing: Buffer.alloc(0),
  'gzip that ends too early': gzipSync(good).subarray(0, -12),
  'gzip with a wrong checksum': (() => {
    const bytes = gzipSync(good)
    bytes.writeUInt32LE(0xdeadbeef, bytes.length - 8)
    return bytes
  })(),
  'gzip in gzip': gzipSync(gzipSync(good)),
  'gzip of broken JSON': gzipSync(`{"model":"${planted}`),
}

test.for(Object.entries(brokenGzip))('refuses %s with 400', async ([, body]) => {
  await assertRefused(
    { body, headers: { 'content-encoding': 'gzip' } },
    { status: 400, code: 'invalid_request' },
  )
})

test('takes gzip, and sends it on inflated', async () => {
  await assertServed({ body: gzipSync(good), headers: { 'content-encoding': 'gzip' } })

  const seen = world.simulator.requests.at(-1)
  expect(seen?.headers['content-encoding']).toBeUndefined()
  expect(seen?.body.toString()).toBe(good.replace('"chat"', '"echo"'))
})

test('refuses a gzip bomb with 413, and does not inflate it', async () => {
  const before = await world.residentMebibytes()
  const bomb = gzipSync(Buffer.alloc(512 * 1024 * 1024, ' '), { level: 9 })
  expect(bomb.length).toBeLessThan(bodyLimit)

  await assertRefused(
    { body: bomb, headers: { 'content-encoding': 'gzip' } },
    { status: 413, code: 'request_too_large' },
  )
  expect((await world.residentMebibytes()) - before).toBeLessThan(100)
})

test.for(['content-length', 'chunked'])(
  'takes a body at the limit and refuses one byte more with 413 (%s)',
  async (framing) => {
    for (const [length, status] of [
      [bodyLimit, 200],
      [bodyLimit + 1, 413],
    ] as const) {
      const body = good + ' '.repeat(length - good.length)
      await using connection = await dial(world.url)
      connection.send(
        framing === 'chunked' ? chunkedRequest(world.key, body) : requestBytes(world.key, { body }),
      )

      const { status: answered, headers, body: text } = await connection.answer()
      expect(answered).toBe(status)
      if (status === 200) continue
      const told = { status, headers: new Headers(headers), text }
      const id = assertRefusal('openai', told, { status: 413, code: 'request_too_large' })
      decisions.add(id, { outcome: 'denied', code: 'request_too_large', status: 413 })
    }
  },
)

test.for([
  'nobody',
  'sim-openai',
  'other/echo',
  'sim-openai/',
  '/echo',
  '__proto__',
  'constructor',
  'x'.repeat(700),
])('says of the model %s that there is none', async (model) => {
  await assertRefused(
    { body: `{"model":${JSON.stringify(model)},${messages}}` },
    { status: 404, code: 'model_not_found' },
  )
})

test('survives a model name of almost a megabyte, and keeps the record of it', async () => {
  const model = 'm'.repeat(bodyLimit - 200)
  const response = await send('openai', { body: `{"model":"${model}",${messages}}` })
  const text = await response.text()

  const told = { status: response.status, headers: response.headers, text }
  const id = assertRefusal('openai', told, { status: 404, code: 'model_not_found' })
  expect(text.length).toBeLessThan(2_000)
  expect(await world.explain(id)).toMatchObject({
    code: 'model_not_found',
    outcome: 'denied',
    principal: { app: 'desk' },
  })
  expect(await world.metric('sluice_records_dropped_total')).toBe(0)
})

test('says 403 of a model that exists and is not granted, whatever else is odd about the body', async () => {
  await assertRefused(
    { body: `{"model":"restricted","frobnicate":1,${messages}}` },
    { status: 403, code: 'access_denied' },
  )
})

test('every refusal above has one record that says the same, and quotes nothing', async () => {
  await decisions.assertLogged(world)

  const { stdout, stderr } = world.logs()
  expect(stdout + stderr + JSON.stringify(await world.logLines())).not.toContain(planted)
})

test('explains a refused body by the step that read it', async () => {
  const response = await send('openai', { body: `{"model":"chat","model":"${planted}"}` })

  const decision = await world.explain(response.headers.get('x-sluice-decision') ?? '')
  expect(decision).toMatchObject({
    verdict: 'deny',
    code: 'invalid_request',
    outcome: 'denied',
    principal: { tenant: 'bank', app: 'desk' },
    request: { protocol: 'openai-chat', endpoint: 'chat.completions', model: null },
    response: { status: 400 },
    route: { chosen: null, attempts: [] },
  })
  expect(decision.steps.at(-1)).toMatchObject({ stage: 'read', verdict: 'deny' })
  expect(JSON.stringify(decision)).not.toContain(planted)
})

test('a client that keeps its connections is not cut off after a body that was too large', async () => {
  const tooLarge = good + ' '.repeat(bodyLimit + 512 * 1024)
  const statuses: unknown[] = []
  for (const body of [tooLarge, good, tooLarge, good, tooLarge, good]) {
    const answered = await send('openai', { body }).catch((error: unknown) => error)
    if (answered instanceof Response) await answered.text()
    statuses.push(answered instanceof Response ? answered.status : answered)
  }

  expect(statuses).toEqual([413, 200, 413, 200, 413, 200])
})
