import { Agent } from 'node:http'
import { startReplay, type RecordedRequest, type Simulator } from '@sluice/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, type Answer } from './support/ask.ts'
import type { Decision } from './support/decision.ts'
import { eventually } from './support/eventually.ts'
import { readDecision } from './support/read-decisions.ts'
import {
  bytesOf,
  fewRecordings,
  fieldsOf,
  manyRecordings,
  whatIsSaid,
  type Recording,
} from './support/recordings.ts'
import { startWorld, type World } from './support/world.ts'

/** A request header that goes upstream, so that the upstream knows which recording is meant. */
const marker = 'x-stainless-recording'
const atOnce = 16

const few = fewRecordings()
const many = manyRecordings()
if (many === null) {
  process.stdout.write(
    'Skipped: the large collection of recorded traffic is not on this machine.\n',
  )
}
const byId = new Map([...few, ...(many ?? [])].map((recording) => [recording.id, recording]))
const find = (request: RecordedRequest) => byId.get(String(request.headers[marker]))

let world: World
let compressing: Simulator
const agent = new Agent({ keepAlive: true, maxSockets: atOnce })

beforeAll(async () => {
  const replay = { source: find, options: { cut: { seed: 7 } } } as const
  compressing = await startReplay(find, { ...replay.options, encoded: true })
  world = await startWorld({
    replay,
    configuration: {
      providers: {
        'gzip-openai': { type: 'openai-compatible', baseUrl: `${compressing.url}/v1`, apiKey: 'x' },
        'gzip-anthropic': { type: 'anthropic', baseUrl: compressing.url, apiKey: 'x' },
      },
      roles: { caller: { allow: [{ models: ['*'] }] } },
    },
  })
})
afterAll(async () => {
  agent.destroy()
  await world[Symbol.asyncDispose]()
  await compressing.close()
})

interface Replayed {
  readonly recording: Recording
  readonly answer: Answer
  readonly sent: string
}

async function replayAll(
  recordings: readonly Recording[],
  upstream: 'sim' | 'gzip',
): Promise<Replayed[]> {
  const waiting = [...recordings]
  const replayed: Replayed[] = []
  const worker = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      replayed.push(await replayOne(next, upstream))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return replayed
}

async function replayOne(recording: Recording, upstream: 'sim' | 'gzip'): Promise<Replayed> {
  const isMessages = recording.endpoint === 'messages'
  const provider = `${upstream}-${isMessages ? 'anthropic' : 'openai'}`
  const { body } = recording.request
  const model = modelOf(recording)
  const sent = JSON.stringify(
    model === null ? body : { ...fieldsOf(body), model: `${provider}/${model}` },
  )
  const answer = await ask(`${world.url}/v1/${isMessages ? 'messages' : 'chat/completions'}`, {
    headers: {
      authorization: `Bearer ${world.key}`,
      'content-type': 'application/json',
      [marker]: recording.id,
    },
    body: sent,
    options: { agent },
  })
  return { recording, answer, sent }
}

function modelOf({ request }: Recording): string | null {
  const { model } = fieldsOf(request.body) as { model?: unknown }
  return typeof model === 'string' ? model : null
}

const rejectedStatuses = [401, 402, 403, 407]
const isRejected = ({ response }: Recording) => rejectedStatuses.includes(response.status)
const passes = (recording: Recording) => modelOf(recording) !== null && !isRejected(recording)

/** What is wrong with each, as a list that is empty when all is well. */
function faultsOf(
  replayed: readonly Replayed[],
  judge: (one: Replayed) => string | null | undefined,
): string[] {
  return replayed.flatMap((one) => {
    const fault = judge(one)
    return fault ? [`${one.recording.id}: ${fault}`] : []
  })
}

function faultOfBytes({ recording, answer }: Replayed): string | null {
  const bytes = bytesOf(recording)
  if (answer.status !== recording.response.status) return `status ${answer.status}`
  const said = whatIsSaid(recording)
  if (said.complete || said.failed) {
    if (!answer.isWhole) return 'the connection was cut'
    return answer.body.equals(bytes) ? null : `other bytes (${answer.body.length}/${bytes.length})`
  }
  if (answer.isWhole) return 'a cut stream has a clean end'
  if (!answer.body.subarray(0, bytes.length).equals(bytes)) return 'other bytes before the cut'
  return faultOfEnd(bytes.toString(), answer.body.subarray(bytes.length).toString())
}

/** After the bytes that came: an error event at the end of an event, and nothing inside one. */
function faultOfEnd(before: string, added: string): string | null {
  if (!/(?:\n\n|\r\r|\r\n\r\n)$/.test(before))
    return added === '' ? null : 'an event inside an event'
  return /^(?:event: error\n)?data: \{.*"code":"upstream_failed".*\}\n\n$/.test(added)
    ? null
    : `not an error event: ${added}`
}

const withheld =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|set-cookie|server|date|content-length|alt-svc|strict-transport-security|nel|report-to|x-ratelimit-.*|anthropic-ratelimit-.*|openai-organization|openai-project|anthropic-organization-id)$/
/** These the gateway and node say for themselves. */
const own = /^(?:connection|keep-alive|transfer-encoding|date|content-length|content-encoding)$/

function faultOfHeaders({ recording, answer }: Replayed): string | null {
  const names = Object.keys(recording.response.headers).filter((name) => !own.test(name))
  const wrong = names.filter((name) => {
    const got = answer.headers[name]
    return withheld.test(name) ? got !== undefined : got !== recording.response.headers[name]
  })
  return wrong.length === 0 ? null : `headers ${wrong.join(', ')}`
}

async function decisionOf({ answer }: Replayed): Promise<Decision> {
  const id = String(answer.headers['x-sluice-decision'])
  return eventually(`the end of ${id} in the store`, () => {
    const decision = readDecision(world.folder, id)
    return decision?.outcome ? decision : null
  })
}

function faultOfDecision({ recording, answer }: Replayed, decision: Decision): string | null {
  const said = whatIsSaid(recording)
  const { response, usage, outcome } = decision
  const expected = {
    status: recording.response.status,
    bytes: answer.body.length,
    model: said.model,
    finish: said.finish,
    usage: said.usage ?? nothingUsed,
    outcome: said.complete && !said.failed ? 'completed' : 'failed',
  }
  const { source: _source, ...counts } = usage ?? { source: '', ...nothingUsed }
  const got = {
    status: response?.status,
    bytes: response?.bytes,
    model: response?.model,
    finish: response?.finish,
    usage: counts,
    outcome,
  }
  const [is, shouldBe] = [JSON.stringify(got), JSON.stringify(expected)]
  return is === shouldBe ? null : `${is} instead of ${shouldBe}`
}

const nothingUsed = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 }

const sets = [
  { name: 'a few', recordings: few },
  ...(many ? [{ name: 'all', recordings: many }] : []),
]

describe.each(sets)('recorded traffic, $name', ({ recordings }) => {
  test('comes back byte for byte, whatever the cuts, and is recorded as what it is', async () => {
    const before = world.simulator.requests.length
    const wanted = recordings.filter(passes)

    const replayed = await replayAll(wanted, 'sim')

    expect(faultsOf(replayed, faultOfBytes)).toEqual([])
    expect(faultsOf(replayed, faultOfHeaders)).toEqual([])
    const asked = world.simulator.requests.slice(before)
    const bodies = new Map(asked.map(({ headers, body }) => [headers[marker], body.toString()]))
    expect(
      faultsOf(replayed, ({ recording }) =>
        bodies.get(recording.id) === JSON.stringify(recording.request.body)
          ? null
          : 'the upstream got another body',
      ),
    ).toEqual([])
    const decisions = await Promise.all(replayed.map(decisionOf))
    const faults = replayed.map((one, index) => {
      const decision = decisions[index]
      return decision && faultOfDecision(one, decision)
    })
    expect(faultsOf(replayed, (one) => faults[replayed.indexOf(one)])).toEqual([])
  }, 60_000)

  test('that was compressed on the wire comes back as plain bytes', async () => {
    const wanted = recordings.filter(
      (recording) => passes(recording) && recording.response.wire?.body_base64,
    )

    const replayed = await replayAll(wanted, 'gzip')

    expect(replayed.length).toBeGreaterThan(0)
    expect(faultsOf(replayed, faultOfBytes)).toEqual([])
    expect(
      faultsOf(replayed, ({ answer }) => answer.headers['content-encoding'] && 'still encoded'),
    ).toEqual([])
  })

  test('in which the upstream refuses our credential shows not a byte of its answer', async () => {
    const wanted = recordings.filter((one) => isRejected(one) && modelOf(one) !== null)

    const replayed = await replayAll(wanted, 'sim')

    expect(replayed.length).toBeGreaterThan(0)
    expect(
      faultsOf(replayed, ({ recording, answer }) => {
        if (answer.status !== 502) return `status ${answer.status}`
        if (answer.headers['x-should-retry'] !== 'false') return 'may be repeated'
        if (fieldsOf(fieldsOf(parse(answer.text))['error'])['code'] !== 'upstream_rejected') {
          return answer.text
        }
        const said = messageOf(recording)
        return said !== null && answer.text.includes(said) ? 'quotes the upstream' : null
      }),
    ).toEqual([])
  })

  test('without a model is refused as the caller would be told by us', async () => {
    const before = world.simulator.requests.length
    const wanted = recordings.filter((recording) => modelOf(recording) === null)

    const replayed = await replayAll(wanted, 'sim')

    expect(replayed.length).toBeGreaterThan(0)
    expect(
      faultsOf(replayed, ({ answer }) =>
        answer.status === 400 && answer.text.includes('"code":"invalid_request"')
          ? null
          : `${answer.status} ${answer.text}`,
      ),
    ).toEqual([])
    expect(world.simulator.requests).toHaveLength(before)
  })
})

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function messageOf(recording: Recording): string | null {
  const { message } = fieldsOf(fieldsOf(parse(bytesOf(recording).toString()))['error'])
  return typeof message === 'string' ? message : null
}
