import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask } from './support/ask.ts'
import { eventually } from './support/eventually.ts'
import { readDecision } from './support/read-decisions.ts'
import { newSecret, startWorld, type World } from './support/world.ts'

const prompt = 'planted-prompt-7f3a-tell-nobody'
const wrongKey = newSecret('sk-sluice-wrong-')
const expiredKey = newSecret('sk-sluice-expired-')

interface Shown {
  readonly name: string
  readonly text: string
}

let world: World
const ids: string[] = []
/** Texts that the gateway itself wrote: refusals and failures. */
const errors: Shown[] = []
let shown: readonly Shown[]

beforeAll(async () => {
  world = await startWorld({
    configuration: {
      decisions: { log: { what: 'all', file: 'decisions.jsonl' } },
      telemetry: { logs: { level: 'trace' } },
      providers: {
        nobody: {
          type: 'openai-compatible',
          baseUrl: 'http://127.0.0.1:9/v1',
          apiKey: 'sk-planted-openai-of-nobody',
          timeouts: { connect: '500ms' },
        },
        impatient: {
          type: 'openai-compatible',
          baseUrl: 'http://127.0.0.1:9/v1',
          apiKey: 'sk-planted-openai-of-nobody',
          timeouts: { firstToken: '300ms' },
        },
      },
      roles: { caller: { allow: [{ models: ['chat', 'claude', '*/*'] }] } },
    },
  })
  await world.writeConfiguration(
    world.configurationWith({ providers: { impatient: { baseUrl: `${world.simulator.url}/v1` } } }),
  )
  world.program.signal('SIGHUP')
  await eventually(
    'the reload',
    () => world.logs().stderr.split('configuration in force').length > 2,
  )
  await callInEveryWay()
  await eventually('all records', () => ids.every((id) => readDecision(world.folder, id)?.outcome))
  shown = await everythingWritten()
}, 60_000)
afterAll(async () => {
  await world[Symbol.asyncDispose]()
})

interface Call {
  readonly model?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly more?: object
  readonly body?: string
}

async function callInEveryWay(): Promise<void> {
  const statuses = [400, 401, 402, 403, 404, 407, 413, 422, 429, 500, 503, 504, 529]
  const upstream = ['sim-openai', 'sim-anthropic'].flatMap((provider) =>
    statuses.map((status) => ({ model: `${provider}/error-${status}` })),
  )
  const streams = ['cutoff=3', 'cutoff=3,half=1', 'mid-error=3', 'length=20', 'invalid-utf8=1']
  const calls: readonly Call[] = [
    { model: 'chat' },
    { model: 'claude' },
    ...upstream,
    ...streams.map((option) => ({
      model: `sim-openai/lorem;sim:${option}`,
      more: { stream: true },
    })),
    { model: 'sim-openai/malformed' },
    { model: 'sim-openai/cut-off' },
    { model: 'sim-openai/echo;sim:redirect=http://127.0.0.1:9/elsewhere' },
    { model: 'nobody/x' },
    { model: 'impatient/hang' },
    { model: 'restricted' },
    { model: `${prompt}-as-a-model` },
    { model: 'chat', headers: { authorization: `Bearer ${wrongKey}` } },
    { model: 'chat', headers: { authorization: `Bearer ${expiredKey}` } },
    { model: 'chat', headers: { authorization: `Basic ${wrongKey}` } },
    { model: 'chat', headers: { 'content-type': 'text/plain' } },
    { model: 'chat', headers: { 'content-encoding': 'br' } },
    { body: `{"model":"chat","messages":[{"role":"user","content":"${prompt}"}` },
    { body: `{"model":"chat","model":"chat","messages":[{"role":"user","content":"${prompt}"}]}` },
    { body: `{"model":"chat","messages":"${prompt}"}` },
    { body: `"${prompt}"` },
    { model: 'chat', path: `/v1/nothing/${prompt}` },
    { model: 'chat', path: `/v1/chat/completions?key=${world.key}` },
  ]
  for (const call of calls) await callOnce(call)
  await leaveEarly()
}

async function callOnce({ model = '', path, headers = {}, more = {}, body }: Call): Promise<void> {
  const isMessages = /^(?:claude|sim-anthropic)/.test(model)
  const answer = await ask(
    world.url + (path ?? (isMessages ? '/v1/messages' : '/v1/chat/completions')),
    {
      headers: {
        authorization: `Bearer ${world.key}`,
        'content-type': 'application/json',
        ...headers,
      },
      body:
        body ??
        JSON.stringify({
          model,
          max_tokens: 50,
          messages: [{ role: 'user', content: prompt }],
          ...more,
        }),
    },
  ).catch(() => null)
  if (answer === null) return
  ids.push(String(answer.headers['x-sluice-decision']))
  if (answer.status >= 400)
    errors.push({ name: `the answer to ${model || path}`, text: answer.text })
}

async function leaveEarly(): Promise<void> {
  const stop = new AbortController()
  const response = await world.fetch('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'sim-openai/lorem;sim:length=100,tps=10',
      stream: true,
      messages: [{ role: 'user', content: prompt }],
    }),
    signal: stop.signal,
  })
  ids.push(response.headers.get('x-sluice-decision') ?? '')
  stop.abort()
}

/** Everything that the gateway wrote anywhere but to a caller. */
async function everythingWritten(): Promise<readonly Shown[]> {
  const { stdout, stderr } = world.logs()
  const records = ids.map((id) => ({
    name: `record ${id}`,
    text: JSON.stringify(readDecision(world.folder, id)),
  }))
  const story = await world.sluice('explain', ids[0] ?? '')
  return [
    ...records,
    ...(await filesIn(world.folder)),
    { name: 'standard output', text: stdout },
    { name: 'standard error', text: stderr },
    { name: 'metrics', text: await world.metrics() },
    { name: 'explain', text: story.stdout + story.stderr },
    ...errors,
  ]
}

/** All but the configuration, which is where secrets come from. */
async function filesIn(folder: string): Promise<readonly Shown[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'sluice.yaml')
  return Promise.all(
    files.map(async ({ parentPath, name }) => ({
      name,
      text: await readFile(join(parentPath, name), 'latin1'),
    })),
  )
}

function whereIsShown(secret: string, places = shown): readonly string[] {
  return places.filter(({ text }) => text.includes(secret)).map(({ name }) => name)
}

test('the run had all kinds of ends, and all that is looked at is there', () => {
  const outcomes = new Set(ids.map((id) => readDecision(world.folder, id)?.outcome))
  expect(outcomes).toEqual(new Set(['completed', 'denied', 'failed', 'cancelled']))
  const names = shown.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['decisions.jsonl', 'sluice.db', 'metrics']))
  expect(names.filter((name) => name.startsWith('record'))).toHaveLength(ids.length)
  expect(shown.filter(({ text }) => text === 'null')).toEqual([])
})

test('a provider’s credential is nowhere', () => {
  for (const secret of [...Object.values(world.providerKeys), 'sk-planted-openai']) {
    expect(whereIsShown(secret)).toEqual([])
  }
})

test('a caller’s key is nowhere, right or wrong', () => {
  for (const secret of [world.key, wrongKey, expiredKey]) expect(whereIsShown(secret)).toEqual([])
})

test('a prompt is nowhere, but for where it was given as a model’s name', () => {
  const asModel = `${prompt}-as-a-model`
  const places = shown.map(({ name, text }) => ({ name, text: text.replaceAll(asModel, '') }))

  expect(whereIsShown(prompt, places)).toEqual([])
  expect(errors.filter(({ text }) => text.includes(asModel))).toEqual([])
})

test('an answer of the upstream’s about our account reaches no caller and no record', () => {
  expect(whereIsShown('Incorrect API key provided')).toEqual([])
  expect(whereIsShown('invalid x-api-key')).toEqual([])
})

test('errors that the gateway makes show no address, no path of a file and no stack', () => {
  const made = errors.filter(({ text }) => text.includes('decision_id'))

  expect(made.length).toBeGreaterThan(20)
  const told = /127\.0\.0\.1|ECONN|UND_ERR|node:|\.ts\b|\bat [\w.]+ \(|sha256|key_[0-9a-f]{12}/
  expect(made.filter(({ text }) => told.test(text))).toEqual([])
})
