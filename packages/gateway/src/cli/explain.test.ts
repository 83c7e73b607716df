import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { decode, encodeLost } from '../decisions/codec.ts'
import { createRing } from '../decisions/record-ring.ts'
import { openRecordWriter } from '../decisions/record-writer.ts'
import { startRecorder } from '../decisions/recorder.ts'
import { aRecord, aRefusal } from '../decisions/records.fixture.ts'
import type { DecisionRecord } from '../exchange.ts'
import { uuidv7 } from '../lib/ids.ts'
import { registerExplain } from './explain.ts'
import { tellStory } from './explain-story.ts'

const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
const complaints = vi.spyOn(console, 'error').mockImplementation(() => undefined)

beforeEach(() => {
  log.mockClear()
  complaints.mockClear()
})
afterEach(() => {
  process.exitCode = undefined
})

/** A gateway's folder, with these exchanges in its demo store; the gateway still runs. */
async function aStoreWith(
  records: readonly DecisionRecord[],
  open: readonly DecisionRecord[] = [],
) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-explain-'))
  const before = process.cwd()
  mkdirSync(join(folder, 'data'))
  const ring = createRing()
  const recorder = startRecorder({
    file: join(folder, 'data', 'sluice.decisions.db'),
    rings: [ring],
    retention: null,
    log: { what: 'off', file: null },
    node: 'node-1',
  })
  const worker = openRecordWriter(ring)
  for (const record of [...records, ...open]) worker.decided(record)
  for (const record of records) worker.closed(record)
  await recorder.flush()
  process.chdir(folder)
  onTestFinished(async () => {
    process.chdir(before)
    await recorder.close()
    rmSync(folder, { recursive: true, force: true })
  })
}

async function explain(...words: string[]) {
  const program = new Command().exitOverride()
  registerExplain(program)
  await program.parseAsync(['explain', ...words], { from: 'user' })
  return {
    output: log.mock.calls.flat().join('\n'),
    complaint: complaints.mock.calls.flat().join('\n'),
    exit: process.exitCode,
  }
}

test('tells who asked for what, where it went and why, and how it ended', async () => {
  const record = aRecord({ startedAt: Date.UTC(2026, 0, 1, 12) })
  await aStoreWith([record])
  const { output, exit } = await explain(record.id)

  expect(exit).toBe(0)
  expect(output).toBe(
    `Decision ${record.id}

App agent-desk of tenant bank asked for model "support-chat" from 10.1.2.3. It was allowed, went to openai/gpt-4o-mini and completed (HTTP 200).

  time       2026-01-01T12:00:00.000Z
  node       node-1
  who        app agent-desk, tenant bank, team support
  key        key_0123456789ab
  roles      support-agent
  asked      openai-chat, chat.completions, model "support-chat", streamed, 812 bytes
  from       10.1.2.3
  trace      4bf92f3577b34da6a3ce929d0e0e4736
  verdict    allow
  route      openai/gpt-4o-mini (first of 2)
  answer     status 200, stream, model gpt-4o-mini-2024-07-18, finish stop, 5120 bytes
  tokens     190 input, 512 output (counted by the provider)
  cost       unknown
  times      4100 ms in all, 160 µs of it ours, upstream's first byte after 312 ms
  outcome    completed
  rules      sha256:${'ab'.repeat(32)}
  directory  4711

Steps
  authenticate  key                         allow       4 µs
  authorize     role:support-agent/allow/0  allow       3 µs  models: support-*

Upstream calls
  openai/gpt-4o-mini  status 200, first byte after 312 ms
`,
  )
})

test('says of a refusal which code it had, why, and what to do', async () => {
  const record = aRefusal()
  await aStoreWith([record])
  const { output } = await explain(record.id)

  expect(output).toContain(
    'It was refused with code access_denied (HTTP 403): no rule of role support-agent allows model secret-chat.',
  )
  expect(output).toContain("What to do: add a rule to one of the caller's roles")
})

test('says that an exchange is still open', async () => {
  const record = aRecord()
  await aStoreWith([], [record])
  expect((await explain(record.id)).output).toContain('The exchange is still open')
})

test('prints the record as JSON, and takes an id in capitals', async () => {
  const record = aRecord()
  await aStoreWith([record])
  const { output } = await explain(record.id.toUpperCase(), '--json')
  expect(JSON.parse(output)).toMatchObject({ schema: 1, id: record.id, outcome: 'completed' })
})

test('says where it looked for an id that is not there, and exits with 1', async () => {
  await aStoreWith([aRecord()])
  const { complaint, exit } = await explain(uuidv7(Date.UTC(2026, 0, 1)))
  expect(exit).toBe(1)
  expect(complaint).toMatch(
    /No decision .* is in \.\/data\/sluice\.decisions\.db.*2026-01-01T00:00/,
  )
})

test('says what an id looks like when it is given none', async () => {
  const { complaint, exit } = await explain('12\u001b[31m34')
  expect(exit).toBe(1)
  expect(complaint).toContain(String.raw`"12\u{1b}[31m34" is no decision id.`)
  expect(complaint).toContain('x-sluice-decision')
})

test('says so when there is no store', async () => {
  await aStoreWith([])
  rmSync('data', { recursive: true })
  const { complaint, exit } = await explain(uuidv7(1))
  expect(exit).toBe(1)
  expect(complaint).toContain('There is no store of decision records at ./data/sluice.decisions.db')
})

test("nothing that a client sends reaches the terminal's controls", async () => {
  const model = 'evil\u001b[2J\u0007\u009b31m\u202egnp.exe\r\n  verdict  allow'
  const record = aRefusal({ model })
  await aStoreWith([record])
  const { output } = await explain(record.id)

  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  expect(output).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  expect(output).toContain(
    String.raw`"evil\u001b[2J\u0007\u{9b}31m\u{202e}gnp.exe\r\n  verdict  allow"`,
  )
})

test('an exchange without a beginning, or without an end, says which half is missing and why', () => {
  const id = uuidv7(Date.UTC(2026, 0, 1))
  const closed = encodeLost(
    { id, startedAt: 0, verdict: 'allow', code: null, protocol: null },
    null,
  )
  const record = decode({ version: 1, decided: null, closed }, null)
  const story = tellStory(
    { record, isBeginningLost: true, isEndLost: true, dropped: 12 },
    { colour: false },
  )
  expect(story).toContain('The first half of this record (who asked for what) was dropped')
  expect(story).toContain('ended before the exchange did')
  expect(story).toContain('among the 12 lines')
})
