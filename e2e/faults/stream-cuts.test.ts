import { gzipSync } from 'node:zlib'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { ask, endsCleanly } from './support/client.ts'
import { startFaultWorld, type FaultWorld } from './support/fault-world.ts'
import {
  chatEvent,
  chunkOf,
  lastChunk,
  startRawUpstream,
  streamHead,
  type RawUpstream,
  type Script,
} from './support/raw-upstream.ts'
import { ExpectedDecisions, type Dialect } from './support/refusals.ts'

type Ending = 'clean' | 'fin' | 'reset' | 'silence'

const messagesEvent = (data: { readonly type: string; readonly [name: string]: unknown }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const messagesText = (text: string) =>
  messagesEvent({
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'text_delta', text },
  })
const begun: Record<Dialect, string> = {
  openai: chatEvent('one') + chatEvent('two'),
  anthropic:
    messagesEvent({
      type: 'message_start',
      message: { model: 'raw', role: 'assistant', usage: { input_tokens: 3, output_tokens: 1 } },
    }) +
    messagesText('one') +
    messagesText('two'),
}
const half: Record<Dialect, string> = {
  openai: chatEvent('three').slice(0, 40),
  anthropic: messagesText('three').slice(0, 60),
}
const finished: Record<Dialect, string> = {
  openai: chatEvent('', { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
  anthropic:
    messagesEvent({ type: 'message_delta', delta: { stop_reason: 'end_turn' } }) +
    messagesEvent({ type: 'message_stop' }),
}
const errorEvent: Record<Dialect, string> = {
  openai:
    'data: {"error":{"message":"The server had an error","type":"server_error","code":null}}\n\n',
  anthropic: messagesEvent({
    type: 'error',
    error: { type: 'overloaded_error', message: 'Overloaded' },
  }),
}

const streamOf =
  (bytes: string | Buffer, ending: Ending, headers: Record<string, string> = {}): Script =>
  async ({ socket }) => {
    socket.write(Buffer.concat([streamHead(headers), chunkOf(bytes)]))
    if (ending === 'clean') socket.write(lastChunk)
    if (ending === 'fin') socket.end()
    if (ending !== 'reset') return
    await sleep(50)
    socket.resetAndDestroy()
  }

const scripts: Record<string, Script> = {}
for (const dialect of ['openai', 'anthropic'] as const) {
  for (const ending of ['clean', 'fin', 'reset', 'silence'] as const) {
    scripts[`${dialect}-boundary-${ending}`] = streamOf(begun[dialect], ending)
    scripts[`${dialect}-half-${ending}`] = streamOf(begun[dialect] + half[dialect], ending)
    scripts[`${dialect}-error-${ending}`] = streamOf(begun[dialect] + errorEvent[dialect], ending)
    scripts[`${dialect}-finished-${ending}`] = streamOf(begun[dialect] + finished[dialect], ending)
  }
}
const spoiled = Buffer.concat([
  Buffer.from(chatEvent('one')),
  Buffer.from('data: {"choices":[{"index":0,"delta":{"content":"'),
  Buffer.from([0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80]),
  Buffer.from(`"},"finish_reason":null}]}\n\n${finished.openai}data: [DONE]\n\n`),
])
scripts['invalid-utf8'] = streamOf(spoiled, 'clean')
scripts['malformed-event'] = streamOf(
  `${chatEvent('one')}data: {"choices":[{"finish_reason":\n\n${finished.openai}data: [DONE]\n\n`,
  'clean',
)
const longEvent = chatEvent('x'.repeat(300 * 1024))
scripts['long-event'] = streamOf(`${longEvent}${finished.openai}data: [DONE]\n\n`, 'clean')
scripts['one-byte-at-a-time'] = async ({ socket }) => {
  socket.write(streamHead())
  for (const byte of Buffer.from(`${chatEvent('\u65e5')}${finished.openai}data: [DONE]\n\n`)) {
    socket.write(chunkOf(Buffer.from([byte])))
    if (byte === 10) await sleep(1)
  }
  socket.write(lastChunk)
}
scripts['first-byte-only'] = streamOf('d', 'reset')
scripts['comments-only'] = streamOf(': ping\n\n: ping\n\n', 'reset')
scripts['nothing'] = async ({ socket }) => {
  socket.write(streamHead())
  await sleep(50)
  socket.resetAndDestroy()
}
scripts['length-too-long'] = ({ socket }) => {
  const head = streamHead()
    .toString()
    .replace('transfer-encoding: chunked', 'content-length: 100000')
  socket.end(head + begun.openai)
}
scripts['bad-chunk'] = ({ socket }) => {
  socket.write(Buffer.concat([streamHead(), chunkOf(begun.openai), Buffer.from('zz\r\nbad\r\n')]))
}
scripts['no-type'] = streamOf(`${begun.openai}${finished.openai}data: [DONE]\n\n`, 'clean', {
  'content-type': 'application/json',
})
const compressed = gzipSync(`${begun.openai}${finished.openai}data: [DONE]\n\n`)
scripts['gzip'] = streamOf(compressed, 'clean', { 'content-encoding': 'gzip' })
const long = gzipSync(Array.from({ length: 4_000 }, (_, at) => chatEvent(`piece ${at}`)).join(''), {
  level: 0,
})
scripts['gzip-breaks'] = async ({ socket }) => {
  socket.write(streamHead({ 'content-encoding': 'gzip' }))
  socket.write(chunkOf(long.subarray(0, 200_000)))
  await sleep(100)
  // It goes on and on, as if nothing had happened.
  const more = setInterval(() => socket.write(chunkOf(Buffer.alloc(20_000, 0xff))), 20)
  socket.once('close', () => clearInterval(more))
}
scripts['gzip-ends-early'] = streamOf(long.subarray(0, 200_000), 'clean', {
  'content-encoding': 'gzip',
})
scripts['drip'] = ({ socket }) => {
  socket.write(streamHead())
  const more = setInterval(() => socket.write(chunkOf(chatEvent('drip'))), 50)
  socket.once('close', () => clearInterval(more))
}

let upstream: RawUpstream
let world: FaultWorld
const decisions = new ExpectedDecisions()

beforeAll(async () => {
  upstream = await startRawUpstream(scripts)
  const timeouts = { firstToken: '600ms', idle: '600ms' }
  world = await startFaultWorld({
    rawUpstream: upstream.url,
    configuration: {
      server: { limits: { responseBuffer: '128KiB' } },
      providers: {
        raw: { timeouts },
        'raw-anthropic': { timeouts },
        'raw-total': {
          type: 'openai-compatible',
          baseUrl: `${upstream.url}/v1`,
          timeouts: { total: '700ms' },
        },
      },
    },
  })
})
afterEach(async () => world.assertLivesOn())
afterAll(async () => {
  await world?.[Symbol.asyncDispose]()
  await upstream?.[Symbol.asyncDispose]()
})

interface Streamed {
  readonly status: number
  readonly id: string
  readonly body: string
  readonly isWhole: boolean
}

async function streamed(model: string, dialect: Dialect = 'openai'): Promise<Streamed> {
  await using connection = await ask(world, { model, dialect, stream: true })
  await eventually(
    'the end of the stream',
    () => endsCleanly(connection) || connection.end !== 'open',
  )
  const [answer] = connection.answers()
  if (answer === undefined) throw new Error('The connection ended without an answer.')
  const { status, headers, body, isWhole } = answer
  return { status, body, isWhole, id: headers['x-sluice-decision'] ?? '' }
}

const providerOf = { openai: 'raw', anthropic: 'raw-anthropic' } as const
const endings = ['clean', 'fin', 'reset', 'silence'] as const

/** Both dialects at once: some of these endings take their time. */
const inBoth = (run: (dialect: Dialect) => Promise<void>) =>
  Promise.all((['openai', 'anthropic'] as const).map(run))

test.for(endings)(
  'a stream that ends between two events (%s) is told so in its dialect, and is not whole',
  async (ending) => {
    await inBoth(async (dialect) => {
      const { status, body, isWhole, id } = await streamed(
        `${providerOf[dialect]}/${dialect}-boundary-${ending}`,
        dialect,
      )

      const code = ending === 'silence' ? 'upstream_timeout' : 'upstream_failed'
      expect({ status, isWhole }).toEqual({ status: 200, isWhole: false })
      expect(body.startsWith(begun[dialect])).toBe(true)
      const added = body.slice(begun[dialect].length)
      expect(added).toMatch(
        dialect === 'openai' ? /^data: .*\n\n$/ : /^event: error\ndata: .*\n\n$/,
      )
      const event = JSON.parse(added.slice(added.indexOf('{'))) as Record<string, unknown>
      const error = { type: expect.any(String), message: expect.any(String), code, decision_id: id }
      expect(event).toEqual(
        dialect === 'openai' ? { error: expect.objectContaining(error) } : { type: 'error', error },
      )
      decisions.add(id, { verdict: 'allow', outcome: 'failed', code, status: 200 })
    })
  },
)

test.for(endings)(
  'a stream that ends inside an event (%s) gets nothing added, and is not whole',
  async (ending) => {
    await inBoth(async (dialect) => {
      const model = `${providerOf[dialect]}/${dialect}-half-${ending}`
      const { status, body, isWhole, id } = await streamed(model, dialect)

      expect({ status, isWhole, body }).toEqual({
        status: 200,
        isWhole: false,
        body: begun[dialect] + half[dialect],
      })
      const code = ending === 'silence' ? 'upstream_timeout' : 'upstream_failed'
      decisions.add(id, { outcome: 'failed', code, status: 200 })
    })
  },
)

test.for(endings)(
  "a stream that ends with the upstream's own error event (%s) gets nothing added",
  async (ending) => {
    await inBoth(async (dialect) => {
      const model = `${providerOf[dialect]}/${dialect}-error-${ending}`
      const { body, isWhole, id } = await streamed(model, dialect)

      expect({ body, isWhole }).toEqual({
        body: begun[dialect] + errorEvent[dialect],
        isWhole: ending === 'clean',
      })
      decisions.add(id, { verdict: 'allow', outcome: 'failed', status: 200 })
    })
  },
)

test.for(endings)(
  'a stream that has said all is whole, however its connection ends (%s)',
  async (ending) => {
    await inBoth(async (dialect) => {
      const model = `${providerOf[dialect]}/${dialect}-finished-${ending}`
      const { body, isWhole, id } = await streamed(model, dialect)

      expect({ body, isWhole }).toEqual({ body: begun[dialect] + finished[dialect], isWhole: true })
      decisions.add(id, { verdict: 'allow', outcome: 'completed', code: null, status: 200 })
    })
  },
)

test.for([
  ['lorem;sim:length=20,cutoff=5', 'openai', true],
  ['lorem;sim:length=20,cutoff=5,end=close', 'openai', true],
  ['lorem;sim:length=20,half=1,end=fin', 'openai', false],
  ['cut-off', 'anthropic', true],
  ['lorem;sim:length=20,half=1,end=close,cut=random', 'anthropic', false],
  ['lorem;sim:length=20,cutoff=5,eol=crlf,cut=7', 'anthropic', true],
  ['lorem;sim:length=20,cutoff=5,eol=cr,cut=random', 'openai', true],
] as const)(
  "the simulator's %s (%s) is cut, and told only at a boundary: %s",
  async ([model, dialect, isTold]) => {
    const provider = dialect === 'openai' ? 'sim-openai' : 'sim-anthropic'
    const { isWhole, body, id } = await streamed(`${provider}/${model}`, dialect)

    expect(isWhole).toBe(false)
    expect(body.includes('"decision_id"')).toBe(isTold)
    decisions.add(id, { outcome: 'failed', code: 'upstream_failed' })
  },
)

test('a stream without its last event is whole when every choice has finished', async () => {
  const { isWhole, body } = await streamed('sim-openai/lorem;sim:length=10,no-done=1')

  expect(isWhole).toBe(true)
  expect(body).not.toContain('[DONE]')
})

test('the total limit ends a stream that is not idle', async () => {
  const { isWhole, body, id } = await streamed('raw-total/drip')

  expect(isWhole).toBe(false)
  expect(body).toContain('"code":"upstream_timeout"')
  decisions.add(id, { outcome: 'failed', code: 'upstream_timeout' })
  await eventually('the end of the call', () => upstream.callOf('drip')?.isOver)
})

test.for(['bad-chunk', 'length-too-long'])(
  'a stream with broken framing is cut: %s',
  async (script) => {
    const { isWhole, body, id } = await streamed(`raw/${script}`)

    expect(isWhole).toBe(false)
    expect(body.startsWith(begun.openai)).toBe(true)
    expect(body).toContain('"code":"upstream_failed"')
    decisions.add(id, { outcome: 'failed', code: 'upstream_failed' })
  },
)

test('bytes that are no UTF-8 pass as they are', async () => {
  const { isWhole, body, id } = await streamed('raw/invalid-utf8')

  expect(isWhole).toBe(true)
  expect(Buffer.from(body, 'latin1')).toEqual(spoiled)
  decisions.add(id, { outcome: 'completed', code: null })
})

test('a stream that comes byte by byte passes byte by byte', async () => {
  const { isWhole, body } = await streamed('raw/one-byte-at-a-time')

  expect(isWhole).toBe(true)
  expect(Buffer.from(body, 'latin1').toString()).toBe(
    `${chatEvent('\u65e5')}${finished.openai}data: [DONE]\n\n`,
  )
})

test('an event that is longer than what is held passes', async () => {
  const { isWhole, body, id } = await streamed('raw/long-event')

  expect(isWhole).toBe(true)
  expect(body.length).toBeGreaterThan(longEvent.length)
  decisions.add(id, { outcome: 'completed', code: null })
})

test('an event that cannot be read passes, and the record says so', async () => {
  const { isWhole, body, id } = await streamed('raw/malformed-event')

  expect(isWhole).toBe(true)
  expect(body).toContain('data: {"choices":[{"finish_reason":\n\n')
  expect(await world.explain(id)).toMatchObject({
    outcome: 'completed',
    response: { mode: 'stream', parsed: false, finish: 'stop' },
  })
})

test('a stream is known by its bytes, whatever its content-type says', async () => {
  const { isWhole, body, id } = await streamed('raw/no-type')

  expect({ isWhole, body }).toEqual({
    isWhole: true,
    body: `${begun.openai}${finished.openai}data: [DONE]\n\n`,
  })
  decisions.add(id, { outcome: 'completed', code: null })
})

test.for(['first-byte-only', 'nothing'])(
  'a stream that ends before its first event is an ordinary refusal: %s',
  async (script) => {
    const { status, isWhole, body, id } = await streamed(`raw/${script}`)

    expect({ status, isWhole }).toEqual({ status: 502, isWhole: true })
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'upstream_failed', decision_id: id } })
    decisions.add(id, { outcome: 'failed', code: 'upstream_failed', status: 502 })
  },
)

test('comments are no answer: what ends after them is cut', async () => {
  const { isWhole, body } = await streamed('raw/comments-only')

  expect(isWhole).toBe(body.startsWith('{'))
  expect(body).toContain('"code":"upstream_failed"')
})

test('a stream that is compressed though nobody asked is undone', async () => {
  const { isWhole, body } = await streamed('raw/gzip')

  expect({ isWhole, body }).toEqual({
    isWhole: true,
    body: `${begun.openai}${finished.openai}data: [DONE]\n\n`,
  })
})

test('a compressed stream that ends too early is cut', async () => {
  const { isWhole, body, id } = await streamed('raw/gzip-ends-early')

  expect(isWhole).toBe(false)
  expect(body).toContain('piece 0')
  decisions.add(id, { outcome: 'failed', code: 'upstream_failed' })
})

test('a compressed stream that breaks in the middle is cut, and the call is cancelled', async () => {
  const { isWhole, body, id } = await streamed('raw/gzip-breaks')

  expect(isWhole).toBe(false)
  expect(body).toContain('piece 0')
  decisions.add(id, { outcome: 'failed', code: 'upstream_failed' })
  await eventually('the end of the call', () => upstream.callOf('gzip-breaks')?.isOver, {
    within: 2_000,
  })
})

test('a connection whose stream was cut is not used again', async () => {
  await using connection = await ask(world, {
    model: 'raw/openai-boundary-fin',
    stream: true,
  })
  await connection.ended()

  expect(connection.text.endsWith('0\r\n\r\n')).toBe(false)
})

test('every stream above has one record that says the same', async () => {
  await decisions.assertLogged(world)
})

test('explains a stream that was cut', async () => {
  const { id } = await streamed('raw/openai-boundary-reset')

  expect(await world.explain(id)).toMatchObject({
    verdict: 'allow',
    code: 'upstream_failed',
    outcome: 'failed',
    request: { stream: true },
    route: {
      attempts: [{ target: 'raw/openai-boundary-reset', status: 200, error: expect.any(String) }],
    },
    response: { mode: 'stream', status: 200, finish: null, model: 'raw' },
  })
})
