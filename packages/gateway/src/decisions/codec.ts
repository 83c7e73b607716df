import type { DecisionRecord, Outcome, Principal, Step, StepVerdict, Usage } from '../exchange.ts'
import type { Closed, ClosedHead, ClosedTiming, Decided, DecidedHead } from './record-halves.ts'
import { renderRecord } from './render-record.ts'
import type { RenderedRecord } from './rendered-record.ts'

/**
 * How a decision record is encoded, version 1. An exchange is two lines of text:
 *
 *     D ⇥ id ⇥ startedAt ⇥ verdict ⇥ code ⇥ protocol ⇥ [JSON]
 *     C ⇥ id ⇥ verdict ⇥ code ⇥ protocol ⇥ outcome ⇥ gatewayMicros ⇥ firstByte ⇥ total ⇥ tokens ⇥ [JSON]
 *
 * What metrics need stands before the JSON. A tab or a newline inside the JSON is always escaped, so
 * nothing that a client sends can look like a field or a line. An absent field is empty; `firstByte`
 * and `total` are tenths of a millisecond; `tokens` is `input,cacheRead,cacheWrite,output,reasoning`.
 *
 * Blocks of every version stay readable: fixtures/ holds one of each, and a test reads them.
 */
export const CODEC_VERSION = 1

/** The lines that were found for an id; each may be missing. */
export interface RecordLines {
  readonly version: number
  readonly decided: string | null
  readonly closed: string | null
}

// ── Encoding: the hot path ───────────────────────────────────────────────────────────────────

/** Before the upstream is called: who asked for what, each step, and where it will go. */
export function encodeDecided(record: DecisionRecord): string {
  const { tls } = record
  return `D\t${record.id}\t${record.startedAt}\t${record.verdict}\t${record.code ?? ''}\t${record.protocol ?? ''}\t[${encodeSnapshot(
    record.snapshot,
  )},${record.directory},${record.principal === null ? 'null' : encodePrincipal(record.principal)},${
    record.endpoint === null ? 'null' : `"${record.endpoint}"`
  },${encodeText(record.model)},${record.stream},${encodeText(record.ip)},${whole(record.requestBytes)},${encodeText(
    record.traceId,
  )},${tls === null ? 'null' : `[${encodeText(tls.version)},${encodeText(tls.cipher)}]`},[${encodeSteps(record)}],${encodeText(
    record.target,
  )},${encodeText(record.targetWhy)}]`
}

/** Once, whatever happened: what came back, and how it ended. */
export function encodeClosed(record: DecisionRecord): string {
  const { usage } = record
  const tokens =
    usage === null
      ? ''
      : `${whole(usage.input)},${whole(usage.cacheRead)},${whole(usage.cacheWrite)},${whole(usage.output)},${whole(usage.reasoning)}`
  return `C\t${record.id}\t${record.verdict}\t${record.code ?? ''}\t${record.protocol ?? ''}\t${record.outcome}\t${whole(
    record.gatewayMicros,
  )}\t${tenths(record.upstreamFirstByteMs, '')}\t${tenths(record.totalMs, '')}\t${tokens}\t[[${encodeAttempts(
    record,
  )}],${record.mode === null ? 'null' : `"${record.mode}"`},${encodeText(record.finish)},${encodeText(
    record.answeredModel,
  )},${record.status},${whole(record.responseBytes)},${record.parsed}]`
}

/** The end of an exchange whose worker died: nobody knows more than what was decided. */
export function encodeLost(decided: DecidedHead, code: string | null): string {
  return `C\t${decided.id}\t${decided.verdict}\t${code ?? decided.code ?? ''}\t${decided.protocol ?? ''}\tlost\t\t\t\t\t`
}

function encodeSteps({ steps }: DecisionRecord): string {
  let text = ''
  for (const step of steps) {
    text += text === '' ? encodeStep(step) : `,${encodeStep(step)}`
    text += whole(step.micros)
  }
  return text
}

/** Steps say the same thing again and again: only their time differs. */
const steps = new Map<string, { step: Step; text: string }>()
const MOST_STEPS = 1024

function encodeStep(step: Step): string {
  const known = steps.get(step.by)
  if (
    known !== undefined &&
    known.step.why === step.why &&
    known.step.verdict === step.verdict &&
    known.step.stage === step.stage
  ) {
    return known.text
  }
  const { stage, by, verdict, why } = step
  const text = flat(`"${stage}",${encodeText(by)},"${verdict}",${encodeText(why)},`)
  if (steps.size === MOST_STEPS) steps.clear()
  steps.set(by, { step: { ...step }, text })
  return text
}

function encodeAttempts({ attempts }: DecisionRecord): string {
  let text = ''
  for (const { target, status, firstByteMs, error } of attempts) {
    text += `${text === '' ? '' : ','}${encodeText(target)},${status},${tenths(firstByteMs, 'null')},${encodeText(error)}`
  }
  return text
}

const principals = new WeakMap<Principal, string>()

function encodePrincipal(principal: Principal): string {
  const known = principals.get(principal)
  if (known !== undefined) return known

  const { kind, tenant, team, app, key, roles } = principal
  const text = flat(
    `["${kind}",${encodeText(tenant)},${encodeText(team)},${encodeText(app)},${encodeText(key)},${JSON.stringify(roles)}]`,
  )
  principals.set(principal, text)
  return text
}

let lastSnapshot = { hash: '', text: '""' }

/** All exchanges of a worker name the same snapshot until the next one is in force. */
function encodeSnapshot(hash: string): string {
  if (hash !== lastSnapshot.hash) lastSnapshot = { hash, text: flat(encodeText(hash)) }
  return lastSnapshot.text
}

/** What is kept must be one string, not a rope of its parts that every use would walk again. */
function flat(rope: string): string {
  return Buffer.from(rope).toString()
}

// Quotes, backslashes and control characters; and all surrogates, since a lone one has no UTF-8.
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/

function encodeText(text: string | null): string {
  if (text === null) return 'null'
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}

/** What is no count, or none that fits, becomes 0: a clock that jumps must not spoil the line. */
function whole(value: number): number {
  return value >= 0 && value < 1e15 ? Math.round(value) : 0
}

function tenths(milliseconds: number | null, absent: string): number | string {
  return milliseconds === null ? absent : whole(milliseconds * 10)
}

// ── Decoding ─────────────────────────────────────────────────────────────────────────────────

/** Reads the fields before the JSON; `line` may be cut off anywhere behind them. */
export function readDecidedHead(line: string): DecidedHead {
  const [, id = '', startedAt, verdict, code, protocol] = line.split('\t', 6)
  return {
    id,
    startedAt: Number(startedAt),
    verdict: verdict as StepVerdict,
    code: code || null,
    protocol: protocol || null,
  }
}

/** Reads the fields before the JSON; `line` may be cut off anywhere behind them. */
export function readClosedHead(line: string): ClosedHead {
  const [, id = '', verdict, code, protocol, outcome, gateway, firstByte, total, tokens] =
    line.split('\t', 10)
  return {
    id,
    verdict: verdict as StepVerdict,
    code: code || null,
    protocol: protocol || null,
    outcome: outcome as Outcome,
    timing: total ? readTiming({ gateway, firstByte, total }) : null,
    usage: tokens ? readUsage(tokens) : null,
  }
}

/** What metrics need of an end, read without making anything else. Milliseconds are tenths. */
export interface ClosedCounts {
  /** `verdict ⇥ code ⇥ protocol` */
  labels: string
  /** -1 when there is none, as with the first byte and the tokens. */
  gatewayMicros: number
  firstByteTenths: number
  readonly tokens: [
    input: number,
    cacheRead: number,
    cacheWrite: number,
    output: number,
    reasoning: number,
  ]
}

/** Reads the counts into an object that is used again and again: this runs for every exchange. */
export function readClosedCounts(line: string, counts: ClosedCounts): void {
  const afterVerdict = line.indexOf('\t', LABELS_FROM)
  const afterCode = line.indexOf('\t', afterVerdict + 1)
  const afterProtocol = line.indexOf('\t', afterCode + 1)
  counts.labels = line.slice(LABELS_FROM, afterProtocol)
  const afterOutcome = line.indexOf('\t', afterProtocol + 1)

  const cursor = { line, at: afterOutcome + 1 }
  counts.gatewayMicros = nextNumber(cursor)
  counts.firstByteTenths = nextNumber(cursor)
  nextNumber(cursor)
  for (let index = 0; index < counts.tokens.length; index++) {
    const count = nextNumber(cursor)
    counts.tokens[index] = count
    if (count === -1) break
  }
}

/** Behind `C ⇥ id ⇥` */
const LABELS_FROM = 39

/** The digits up to the next separator, which is left behind; -1 when there are none. */
function nextNumber(cursor: { line: string; at: number }): number {
  const { line } = cursor
  let { at } = cursor
  let value = -1
  for (;;) {
    const digit = line.charCodeAt(at) - 48
    at += 1
    if (!(digit >= 0 && digit <= 9)) break
    value = value === -1 ? digit : value * 10 + digit
  }
  cursor.at = at
  return value
}

/** Renders what was found of an exchange; at least one of the two lines must be there. */
export function decode(lines: RecordLines, node: string | null): RenderedRecord {
  if (lines.version !== CODEC_VERSION) {
    throw new Error(
      `The record is of codec version ${lines.version}; this Sluice reads ${CODEC_VERSION}. Use a newer one.`,
    )
  }
  return renderRecord({
    decided: lines.decided === null ? null : decodeDecided(lines.decided),
    closed: lines.closed === null ? null : decodeClosed(lines.closed),
    node,
  })
}

type DecidedJson = readonly [
  snapshot: string,
  directory: number,
  principal: PrincipalJson | null,
  endpoint: string | null,
  model: string | null,
  stream: boolean | null,
  ip: string,
  requestBytes: number,
  traceId: string | null,
  tls: readonly [version: string, cipher: string] | null,
  steps: readonly StepJson[number][],
  target: string | null,
  targetWhy: string | null,
]
type PrincipalJson = readonly [
  kind: 'app',
  tenant: string,
  team: string | null,
  app: string,
  key: string,
  roles: readonly string[],
]
type Steps = DecisionRecord['steps'][number]
type StepJson = readonly [Steps['stage'], string, StepVerdict, string | null, number]
type AttemptJson = readonly [string, number | null, number | null, string | null]
type ClosedJson = readonly [
  attempts: readonly AttemptJson[number][],
  mode: DecisionRecord['mode'],
  finish: string | null,
  answeredModel: string | null,
  status: number | null,
  responseBytes: number,
  parsed: boolean | null,
]

function decodeDecided(line: string): Decided {
  const json = JSON.parse(line.slice(afterTabs(line, 6))) as DecidedJson
  const [snapshot, directory, principal, endpoint, model, stream, ip] = json
  const [, , , , , , , requestBytes, traceId, tls, steps, target, targetWhy] = json
  return {
    ...readDecidedHead(line),
    snapshot,
    directory,
    principal: principal && decodePrincipal(principal),
    endpoint,
    model,
    stream,
    ip,
    requestBytes,
    traceId,
    tls: tls && { version: tls[0], cipher: tls[1] },
    steps: groupsOf<StepJson>(steps, 5).map(([stage, by, verdict, why, micros]) => ({
      stage,
      by,
      verdict,
      why,
      micros,
    })),
    target,
    targetWhy,
  }
}

function decodePrincipal([kind, tenant, team, app, key, roles]: PrincipalJson): Principal {
  return { kind, tenant, team, app, key, roles }
}

function decodeClosed(line: string): Closed {
  const head = readClosedHead(line)
  const text = line.slice(afterTabs(line, 10))
  if (text === '') return { ...head, answer: null }

  const [attempts, mode, finish, answeredModel, status, responseBytes, parsed] = JSON.parse(
    text,
  ) as ClosedJson
  return {
    ...head,
    answer: {
      attempts: groupsOf<AttemptJson>(attempts, 4).map(([target, status, firstByte, error]) => ({
        target,
        status,
        firstByteMs: firstByte === null ? null : firstByte / 10,
        error,
      })),
      mode,
      finish,
      answeredModel,
      status,
      responseBytes,
      parsed,
    },
  }
}

function readTiming(fields: {
  gateway: string | undefined
  firstByte: string | undefined
  total: string
}): ClosedTiming {
  return {
    gatewayMicros: Number(fields.gateway),
    upstreamFirstByteMs: fields.firstByte ? Number(fields.firstByte) / 10 : null,
    totalMs: Number(fields.total) / 10,
  }
}

function readUsage(tokens: string): Usage {
  const [input = 0, cacheRead = 0, cacheWrite = 0, output = 0, reasoning = 0] = tokens
    .split(',')
    .map(Number)
  return { input, cacheRead, cacheWrite, output, reasoning, source: 'provider' }
}

function afterTabs(line: string, count: number): number {
  let at = 0
  for (let tab = 0; tab < count; tab++) at = line.indexOf('\t', at) + 1
  return at
}

/** The JSON holds lists of like tuples flat, which is shorter. */
function groupsOf<Tuple>(flat: readonly unknown[], size: number): Tuple[] {
  const groups: Tuple[] = []
  for (let at = 0; at < flat.length; at += size) groups.push(flat.slice(at, at + size) as Tuple)
  return groups
}
