import { gunzipSync, gzipSync } from 'node:zlib'
import { startReplay, type RecordedExchange, type Simulator } from '@sluice/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, type Answer } from './support/ask.ts'
import { startWorld, type World } from './support/world.ts'

const marker = 'x-stainless-answer'
const answers = new Map<string, RecordedExchange>()

let world: World
let upstream: Simulator

beforeAll(async () => {
  upstream = await startReplay((request) => answers.get(String(request.headers[marker])))
  world = await startWorld({
    configuration: {
      providers: {
        said: { type: 'openai-compatible', baseUrl: `${upstream.url}/v1`, apiKey: 'not-a-secret' },
      },
      roles: { caller: { allow: [{ models: ['*'] }] } },
    },
  })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await upstream.close()
})

interface Sent {
  readonly path?: string
  readonly body: string | Buffer
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

function send({ path = '/v1/chat/completions', body, headers }: Sent): Promise<Answer> {
  return ask(world.url + path, {
    body,
    headers: {
      authorization: `Bearer ${world.key}`,
      'content-type': 'application/json',
      ...headers,
    },
  })
}

function chat(model: string, more: object = {}): string {
  return JSON.stringify({ model, messages: [{ role: 'user', content: 'Grüß dich 👋' }], ...more })
}

/** Sends to an upstream that gives this answer. */
async function answered(response: RecordedExchange['response'], more: object = {}) {
  const name = `answer-${answers.size}`
  answers.set(name, { response })
  return send({ body: chat('said/model', more), headers: { [marker]: name } })
}

const lastRequest = () => {
  const request = world.simulator.requests.at(-1)
  if (request === undefined) throw new Error('The simulator was not asked.')
  return request
}

describe('the body of a request', () => {
  const spellings = [
    {
      what: 'order, white space, unknown members',
      body: ' \n{"zeta":null,\t"model" : "chat" ,\r\n "messages":[ ],"alpha":{"model":"chat","b":1,"a":2}} \n',
    },
    {
      what: 'numbers as they are spelled',
      body: '{"model":"chat","messages":[],"n":[12345678901234567890,1.0,1E5,-0.0,0.10,1e-7,1e400]}',
    },
    {
      what: 'escapes, and text that looks like the member',
      body: String.raw`{"x":"\"model\":\"chat\"","messages":[{"role":"user","content":"\u00fc\/\ud83d\ude00 ü \ud800 \u0000 \u2028"}],"model":"chat"}`,
    },
    {
      what: 'a name that is spelled in escapes',
      body: String.raw`{"mod\u0065l":"ch\u0061t","messages":[]}`,
    },
    {
      what: 'a stream for which nothing is asked of the upstream for our sake',
      body: '{"model":"chat","stream":true,"messages":[]}',
    },
  ]

  test.each(spellings)('goes upstream as it came but for the model: $what', async ({ body }) => {
    await send({ body })

    expect(lastRequest().body.toString()).toBe(renamed(body))
  })

  /** Only the outermost member is the model's name. */
  function renamed(body: string): string {
    const places = [
      '"model" : "chat"',
      '{"model":"chat"',
      ',"model":"chat"',
      String.raw`"mod\u0065l":"ch\u0061t"`,
    ]
    const place = places.find((text) => body.includes(text)) ?? ''
    return body.replace(place, place.replace(/"ch(?:a|\\u0061)t"/, '"echo"'))
  }

  test('with characters beyond ASCII goes upstream in the bytes that came', async () => {
    const body = Buffer.from('{"messages":[],"größe":"żółw 👋","model":"chat"}')

    await send({ body })

    expect(lastRequest().body).toEqual(
      Buffer.from('{"messages":[],"größe":"żółw 👋","model":"echo"}'),
    )
  })

  test('that is compressed goes upstream inflated', async () => {
    const body = gzipSync(chat('chat'))

    const answer = await send({ body, headers: { 'content-encoding': 'gzip' } })

    expect(answer.status).toBe(200)
    expect(lastRequest().body.toString()).toBe(chat('echo'))
    expect(lastRequest().headers['content-encoding']).toBeUndefined()
    expect(lastRequest().headers['content-length']).toBe(String(Buffer.byteLength(chat('echo'))))
  })
})

describe('the headers of a request', () => {
  const passing = {
    accept: 'application/json',
    'user-agent': 'a-client/1.0',
    'openai-beta': 'assistants=v2',
    'anthropic-beta': 'some-beta-2026-01-01',
    'x-stainless-lang': 'js',
    'x-stainless-retry-count': '0',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  }
  const staying = {
    'accept-encoding': 'gzip, br',
    'api-key': 'sk-another-credential-of-the-caller',
    baggage: 'tenant=secret',
    cookie: 'sid=1',
    'cf-connecting-ip': '10.0.0.1',
    forwarded: 'for=10.0.0.1',
    'idempotency-key': 'one',
    'keep-alive': 'timeout=5',
    'openai-organization': 'org-of-the-operator',
    'openai-project': 'proj-of-the-operator',
    origin: 'https://example.com',
    'proxy-authorization': 'Basic eDp5',
    referer: 'https://example.com/secret',
    te: 'trailers',
    'x-api-key': 'sk-another-credential-of-the-caller',
    'x-custom': 'yes',
    'x-forwarded-for': '10.0.0.1',
    'x-goog-api-key': 'sk-another-credential-of-the-caller',
    'x-real-ip': '10.0.0.1',
    'x-sluice-tag-cost-centre': '4711',
    'x-sluice-user': 'ana',
  }
  const fromUs = ['connection', 'content-length', 'content-type', 'host']

  test('go upstream by an allow-list, with our credential in the place of the caller’s', async () => {
    await send({ body: chat('chat'), headers: { ...passing, ...staying } })

    const { headers } = lastRequest()
    expect(headers).toMatchObject(passing)
    expect(headers.authorization).toBe(`Bearer ${world.providerKeys.openai}`)
    expect(Object.keys(headers).sort()).toEqual(
      [...Object.keys(passing), ...fromUs, 'authorization'].sort(),
    )
  })

  test('go to Anthropic with its own version, or with the one that the caller named', async () => {
    const body = JSON.stringify({ ...JSON.parse(chat('claude')), max_tokens: 9 })
    const path = '/v1/messages'

    await send({ path, body, headers: { ...staying } })
    const usual = lastRequest().headers
    await send({ path, body, headers: { 'anthropic-version': '2099-01-01', ...staying } })
    const named = lastRequest().headers

    expect(usual['x-api-key']).toBe(world.providerKeys.anthropic)
    expect(Object.keys(usual).sort()).toEqual([...fromUs, 'anthropic-version', 'x-api-key'].sort())
    expect(named['anthropic-version']).toBe('2099-01-01')
    expect(JSON.stringify([usual, named])).not.toContain(world.key)
  })

  test('that the caller’s connection header claims for that connection stay behind', async () => {
    await send({
      body: chat('chat'),
      headers: { connection: 'close, x-stainless-hop', 'x-stainless-hop': '1' },
    })

    expect(lastRequest().headers['x-stainless-hop']).toBeUndefined()
  })
})

describe('the headers of an answer', () => {
  const passing = {
    'content-type': 'application/json',
    'cf-ray': '9-FRA',
    'openai-processing-ms': '12',
    'openai-version': '2020-10-01',
    'request-id': 'req_1',
    'retry-after': '7',
    'x-request-id': 'req_2',
    'x-custom': 'yes',
  }
  const withheld = {
    'alt-svc': 'h3=":443"',
    'anthropic-organization-id': 'org-of-the-operator',
    'anthropic-ratelimit-input-tokens-remaining': '1',
    nel: '{}',
    'openai-organization': 'org-of-the-operator',
    'openai-project': 'proj-of-the-operator',
    'proxy-authenticate': 'Basic',
    'report-to': '{}',
    server: 'cloudflare',
    'set-cookie': '__cf_bm=secret',
    'strict-transport-security': 'max-age=1',
    'x-ratelimit-limit-requests': '1',
    'x-ratelimit-remaining-tokens': '1',
    'x-ratelimit-reset-requests': '1s',
  }
  const fromUs = ['connection', 'content-length', 'date', 'x-sluice-decision']

  for (const status of [200, 429]) {
    test(`of status ${status} come back by a deny-list`, async () => {
      const answer = await answered({
        status,
        headers: { ...passing, ...withheld, 'x-sluice-decision': 'forged' },
        body: '{"ok":1}',
        body_encoding: 'utf8',
      })

      expect(answer.status).toBe(status)
      expect(answer.headers).toMatchObject(passing)
      expect(answer.headers['x-sluice-decision']).toMatch(/^[0-9a-f-]{36}$/)
      expect(Object.keys(answer.headers).sort()).toEqual(
        [...Object.keys(passing), ...fromUs].sort(),
      )
    })
  }

  test('that tell of the operator’s limits are withheld by their standard names too', async () => {
    const names = ['ratelimit', 'ratelimit-policy', 'ratelimit-limit', 'ratelimit-remaining']

    const answer = await answered({
      status: 200,
      headers: Object.fromEntries(names.map((name) => [name, '1'])),
      body: '{}',
      body_encoding: 'utf8',
    })

    expect(names.filter((name) => name in answer.headers)).toEqual([])
  })
})

describe('an answer', () => {
  const options = [
    'eol=crlf',
    'eol=cr',
    'eol=crlf,cut=random',
    'cut=1',
    'gzip=1',
    'gzip=1,cut=random',
    'padding=3000',
    'content-type=application/json',
    'content-type=text/plain',
    'content-type=none',
    'no-done=1',
    'mid-error=4',
    'invalid-utf8=1',
  ]
  const formats = [
    { provider: 'sim-openai', path: '/v1/chat/completions', more: {} },
    { provider: 'sim-anthropic', path: '/v1/messages', more: { max_tokens: 50 } },
  ]
  const combinations = formats.flatMap((format) =>
    options.flatMap((option) =>
      [true, false].map((stream) => ({
        ...format,
        option,
        stream,
        how: stream ? 'streamed' : 'whole',
      })),
    ),
  )

  test.each(combinations)(
    'with $option is the upstream’s own, byte for byte: $path $how',
    async ({ provider, path, more, option, stream }) => {
      const model = `lorem;sim:length=12,seed=5,${option}`
      const direct = await ask(world.simulator.url + path, {
        headers: { 'content-type': 'application/json' },
        body: chat(model, { ...more, stream }),
      })

      const answer = await send({ path, body: chat(`${provider}/${model}`, { ...more, stream }) })

      expect(answer.status).toBe(200)
      expect(answer.headers['content-encoding']).toBeUndefined()
      expect(answer.headers['content-type']).toBe(direct.headers['content-type'])
      const isCut = stream && option === 'no-done=1' && provider === 'sim-anthropic'
      const sent = plain(direct)
      expect(answer.body.subarray(0, sent.length).equals(sent)).toBe(true)
      expect(answer.isWhole).toBe(!isCut)
      if (!isCut) expect(answer.body).toHaveLength(sent.length)
    },
  )

  test('in JSON to a request for a stream passes', async () => {
    const body = JSON.stringify({ object: 'chat.completion', choices: [] })
    const headers = { 'content-type': 'application/json' }

    const answer = await answered(
      { status: 200, headers, body, body_encoding: 'utf8' },
      { stream: true },
    )

    expect(answer.text).toBe(body)
    expect(answer.isWhole).toBe(true)
  })

  test('in a stream to a request for none passes', async () => {
    const body = 'data: {"choices":[{"index":0,"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    const headers = { 'content-type': 'text/event-stream' }

    const answer = await answered({ status: 200, headers, body, body_encoding: 'utf8' })

    expect(answer.text).toBe(body)
    expect(answer.isWhole).toBe(true)
  })

  test('that is no JSON passes, and the record says that it was not read', async () => {
    const answer = await answered({
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: '<html>Welcome to the hotel’s network</html>',
      body_encoding: 'utf8',
    })

    expect(answer.text).toContain('Welcome')
    const record = await world.explain(String(answer.headers['x-sluice-decision']))
    expect(record.response).toMatchObject({ status: 200, parsed: false })
  })

  test('in which the upstream did not say its usage has none in the record', async () => {
    const answer = await send({ body: chat('chat', { stream: true }) })

    const record = await world.explain(String(answer.headers['x-sluice-decision']))
    expect(record).toMatchObject({
      usage: null,
      outcome: 'completed',
      response: { finish: 'stop' },
    })
  })
})

function plain({ headers, body }: Answer): Buffer {
  if (headers['content-encoding'] !== 'gzip') return body
  return gunzipSync(body)
}
