import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { countsIn, sum } from './support/counts.ts'
import { eventually } from './support/eventually.ts'
import { readDecision } from './support/read-decisions.ts'
import { startWorld, type World } from './support/world.ts'

let world: World

beforeAll(async () => {
  world = await startWorld({
    configuration: { decisions: { log: { what: 'all', file: 'decisions.jsonl' } } },
  })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
})

const hello = (model: string, more: object = {}) => ({
  model,
  messages: [{ role: 'user', content: 'Hello' }],
  ...more,
})

const idOf = (response: Response) => response.headers.get('x-sluice-decision') ?? ''

async function ask(model: string, { headers = {}, to = world }: AskOptions = {}): Promise<string> {
  const response = await to.post('/v1/chat/completions', hello(model), headers)
  await response.text()
  return idOf(response)
}

interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly to?: World
}

/** Begins a stream of five tokens a second and reads its first piece. */
async function openStream(model: string, to = world) {
  const stop = new AbortController()
  const response = await to.fetch('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(hello(model, { stream: true })),
    signal: stop.signal,
  })
  const reader = response.body?.getReader()
  await reader?.read()
  return { id: idOf(response), reader, leave: () => stop.abort() }
}

test('the record of an allowed call has every member, known or null', async () => {
  const before = Date.now()
  const id = await ask('chat', {
    headers: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
  })

  const record = await world.explain(id)

  const number = expect.any(Number)
  expect(record).toEqual({
    schema: 1,
    id,
    parent: null,
    purpose: null,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    snapshot: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    directory: number,
    node: expect.any(String),
    principal: {
      kind: 'app',
      tenant: 'bank',
      team: 'support',
      app: 'desk',
      key: world.keyId,
      roles: ['caller'],
      authentication: { by: 'key', issuer: null, mfa: false, at: expect.any(String) },
    },
    request: {
      protocol: 'openai-chat',
      endpoint: 'chat.completions',
      model: 'chat',
      version: null,
      stream: false,
      ip: '127.0.0.1',
      bytes: JSON.stringify(hello('chat')).length,
      inputTokens: null,
      session: null,
      conversation: null,
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      tags: null,
      tls: null,
    },
    verdict: 'allow',
    code: null,
    steps: [
      { stage: 'authenticate', by: 'key', verdict: 'allow', micros: number },
      { stage: 'authorize', by: 'role:caller/allow/0', verdict: 'allow', micros: number },
    ],
    route: {
      chosen: 'sim-openai/echo',
      why: expect.any(String),
      residency: null,
      attempts: [{ target: 'sim-openai/echo', status: 200, firstByteMs: number, error: null }],
    },
    translation: null,
    response: {
      mode: 'json',
      finish: 'stop',
      status: 200,
      bytes: number,
      parsed: true,
      model: 'echo',
    },
    usage: {
      input: number,
      cacheRead: 0,
      cacheWrite: 0,
      output: 1,
      reasoning: 0,
      source: 'provider',
    },
    cost: { amount: null, currency: null, known: false },
    timing: { gatewayMicros: number, upstreamFirstByteMs: number, totalMs: number },
    outcome: 'completed',
  })
  expect(world.keyId).toMatch(/^key_[0-9a-f]{12}$/)
  expect(Date.parse(record.time)).toBeGreaterThanOrEqual(before - 1)
  expect(Date.parse(record.time)).toBeLessThanOrEqual(Date.now())
})

const refused = [
  { what: 'a model that is not granted', model: 'restricted', code: 'access_denied', by: 'roles' },
  { what: 'an unknown model', model: 'nothing', code: 'model_not_found', by: 'roles' },
]
test.each(refused)('$what: refused, by whom and why', async ({ model, code, by }) => {
  const record = await world.explain(await ask(model))

  expect(record).toMatchObject({
    verdict: 'deny',
    code,
    outcome: 'denied',
    principal: { app: 'desk', key: world.keyId },
    request: { model },
    route: { chosen: null, attempts: [] },
    usage: null,
  })
  expect(record.steps.at(-1)).toMatchObject({ stage: 'authorize', by, verdict: 'deny' })
  expect(record.steps.at(-1)?.why).toBeTruthy()
})

test('a wrong key: refused, and nobody is named', async () => {
  const id = await ask('chat', {
    headers: { authorization: 'Bearer sk-sluice-wrong-key-of-nobody' },
  })

  const record = await world.explain(id)

  expect(record).toMatchObject({
    verdict: 'deny',
    code: 'credential_invalid',
    outcome: 'denied',
    principal: null,
    response: { status: 401 },
  })
})

test('an upstream that fails: allowed and failed, with the attempt', async () => {
  const record = await world.explain(await ask('sim-openai/error-500'))

  expect(record).toMatchObject({
    verdict: 'allow',
    code: 'upstream_failed',
    outcome: 'failed',
    route: { chosen: 'sim-openai/error-500', attempts: [{ status: 500 }] },
    response: { status: 502 },
  })
})

test('a call that is refused upstream passes, and is recorded as what the caller got', async () => {
  const record = await world.explain(await ask('sim-openai/error-429'))

  expect(record).toMatchObject({
    verdict: 'allow',
    response: { status: 429 },
    route: { attempts: [{ status: 429 }] },
    usage: null,
  })
})

test('while a stream runs, explain says that it is open; then how the client left', async () => {
  const stream = await openStream('sim-openai/lorem;sim:length=500,tps=5')

  const open = await world.explain(stream.id)
  const told = await world.sluice('explain', stream.id)
  stream.leave()
  const left = await eventually('the end of the record', async () => {
    const record = await world.explain(stream.id)
    return record.outcome !== null && record
  })

  expect(open).toMatchObject({ outcome: null, response: null, verdict: 'allow' })
  expect(open.route.chosen).toBe('sim-openai/lorem;sim:length=500,tps=5')
  expect(told.code).toBe(0)
  expect(told.stdout).toMatch(/open|still|running|under way/i)
  expect(left).toMatchObject({
    outcome: 'cancelled',
    code: 'client_closed',
    verdict: 'allow',
    response: { mode: 'stream' },
  })
}, 40_000)

test('a record is there within a second of the answer', async () => {
  const waits: number[] = []

  for (let call = 0; call < 5; call += 1) {
    const id = await ask('chat')
    const answered = performance.now()
    await eventually('the record', () => readDecision(world.folder, id)?.outcome === 'completed')
    waits.push(performance.now() - answered)
  }

  expect(Math.max(...waits)).toBeLessThan(1_000)
})

test('explain tells a person the story, with the decision, the caller and the reason', async () => {
  const { code, stdout } = await world.sluice('explain', await ask('restricted'))

  expect(code).toBe(0)
  for (const word of ['desk', 'bank', 'restricted', 'access_denied']) expect(stdout).toContain(word)
})

test('explain of an id that was never given says so, and of what is no id too', async () => {
  const unknown = await world.sluice('explain', '019a3f6e-7c1b-7d2e-9f00-5b6c7d8e9f01')
  const none = await world.sluice('explain', 'nonsense')

  expect(unknown.code).toBe(1)
  expect(unknown.stderr).toMatch(/No decision 019a3f6e/)
  expect(none.code).toBe(1)
  expect(none.stderr).toMatch(/"nonsense" is no decision id/)
  expect(unknown.stdout + none.stdout).toBe('')
})

test('the decision log has a line for each that ended', async () => {
  const ids = [await ask('chat'), await ask('restricted'), await ask('sim-openai/error-500')]

  const lines = await eventually('the lines in the file', async () => {
    const text = await readFile(join(world.folder, 'decisions.jsonl'), 'utf8')
    const all = text.trim().split('\n')
    const ours = ids.map((id) => all.map(parse).find((line) => line.id === id))
    return ours.every((line) => line !== undefined) && ours
  })

  expect(lines).toMatchObject([
    { verdict: 'allow', code: null, outcome: 'completed', app: 'desk', model: 'chat', status: 200 },
    { verdict: 'deny', code: 'access_denied', outcome: 'denied', status: 403 },
    { verdict: 'allow', code: 'upstream_failed', outcome: 'failed', status: 502 },
  ])
})

test('a log of refusals goes to standard output, one line each', async () => {
  await using world = await startWorld({ configuration: { decisions: { log: 'refusals' } } })
  const post = async (model: string) => {
    const response = await world.post('/v1/chat/completions', hello(model))
    await response.text()
    return idOf(response)
  }

  await post('chat')
  const id = await post('restricted')

  const line = await eventually('the line', () =>
    world
      .logs()
      .stdout.split('\n')
      .slice(0, -1)
      .find((text) => text.includes(id)),
  )
  expect(parse(line)).toMatchObject({ id, verdict: 'deny', code: 'access_denied' })
  expect(world.logs().stdout.trim().split('\n')).toHaveLength(2)
})

function parse(line: string): { readonly id?: unknown } {
  return JSON.parse(line) as { id?: unknown }
}

test('metrics count each exchange by verdict, code and protocol, and its tokens', async () => {
  const before = countsIn(await world.metrics())
  for (let call = 0; call < 3; call += 1) await ask('chat')
  await ask('restricted')
  await ask('sim-openai/error-500')
  const messages = await world.post('/v1/messages', hello('claude', { max_tokens: 9 }))
  await messages.text()

  const rise = await eventually('all the counts', async () => {
    const after = countsIn(await world.metrics())
    const rise = (name: string, ...labels: string[]) =>
      sum(after, name, labels) - sum(before, name, labels)
    return rise('sluice_exchanges_total') >= 6 && rise
  })

  const total = 'sluice_exchanges_total'
  expect(rise(total)).toBe(6)
  expect(rise(total, 'verdict="allow"', 'protocol="openai-chat"')).toBe(4)
  expect(rise(total, 'verdict="deny"', 'code="access_denied"')).toBe(1)
  expect(rise(total, 'code="upstream_failed"')).toBe(1)
  expect(rise(total, 'protocol="anthropic-messages"')).toBe(1)
  expect(rise('sluice_tokens_total', 'class="output"')).toBe(4)
  expect(rise('sluice_upstream_seconds_count')).toBe(5)
  expect(rise('sluice_gateway_seconds_count')).toBe(6)
  expect(sum(countsIn(await world.metrics()), 'sluice_exchanges_in_flight')).toBe(0)
  expect(sum(countsIn(await world.metrics()), 'sluice_records_dropped_total')).toBe(0)
})

test('metrics tell how many are in flight, and how many were no requests', async () => {
  const before = sum(countsIn(await world.metrics()), 'sluice_unparsable_requests_total')
  const stream = await openStream('sim-openai/lorem;sim:length=100,tps=20')
  await sendNonsense()

  const counts = countsIn(await world.metrics())
  stream.leave()

  expect(sum(counts, 'sluice_exchanges_in_flight')).toBe(1)
  expect(sum(counts, 'sluice_unparsable_requests_total')).toBe(before + 1)
})

async function sendNonsense(): Promise<void> {
  const socket = connect(Number(new URL(world.url).port), '127.0.0.1')
  socket.end('THIS IS NO HTTP\r\n\r\n')
  socket.resume()
  await once(socket, 'close')
}

test('after kill -9 an ended exchange can be read, and one that was open is lost', async () => {
  await using world = await startWorld()
  const ended = await ask('chat', { to: world })
  const open = await openStream('sim-openai/lorem;sim:length=500,tps=5', world)
  await eventually(
    'the open record',
    async () => (await world.sluice('explain', open.id)).code === 0,
  )
  open.reader?.closed.catch(() => undefined)

  const { signal } = await world.kill('SIGKILL')
  const [before, lost] = await Promise.all([world.explain(ended), world.explain(open.id)])
  await world.restart()
  const [after, lostStill] = await Promise.all([world.explain(ended), world.explain(open.id)])

  expect(signal).toBe('SIGKILL')
  expect(before).toMatchObject({ id: ended, outcome: 'completed' })
  expect(lost).toMatchObject({ id: open.id, outcome: 'lost', request: { stream: true } })
  expect(after).toEqual(before)
  expect(lostStill.outcome).toBe('lost')
}, 60_000)
