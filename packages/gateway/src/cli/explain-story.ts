import { styleText } from 'node:util'
import type { FoundDecision } from '../decisions/find-decision.ts'
import type { RenderedRecord } from '../decisions/rendered-record.ts'

type Paint = (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow', text: string) => string

/** What a person wants to know about one exchange: a few sentences, then a list. */
export function tellStory(found: FoundDecision, options: { readonly colour: boolean }): string {
  const paint: Paint = (style, text) =>
    options.colour ? styleText(style, text, { validateStream: false }) : text
  const { record } = found
  const sentences = [summary(record), ...remarks(found)].map(printable)
  return [
    paint('bold', `Decision ${record.id}`),
    '',
    ...sentences,
    '',
    ...aligned(facts(record), paint),
    '',
    paint('bold', 'Steps'),
    ...stepLines(record, paint),
    ...attemptLines(record, paint),
    '',
  ].join('\n')
}

function summary(record: RenderedRecord): string {
  const { principal, request, code, outcome } = record
  const who = principal ? `App ${principal.app} of tenant ${principal.tenant}` : 'A caller'
  const what =
    request.model === null ? 'called the gateway' : `asked for model ${quoted(request.model)}`
  const asked = `${who} ${what}${request.ip === null ? '' : ` from ${request.ip}`}.`
  const reason = lastDenial(record)
  const refusedOrFailed = `with code ${code ?? 'unknown'}${statusOf(record)}`
  const endings: Record<NonNullable<RenderedRecord['outcome']> | 'open', string> = {
    open: `The exchange is still open: it was decided (${record.verdict}) and has not ended.`,
    completed: `It was allowed, went to ${record.route.chosen ?? 'no upstream'} and completed${statusOf(record)}.`,
    denied: `It was refused ${refusedOrFailed}${reason === null ? '' : `: ${reason}`}.`,
    failed: `It was ${record.verdict === 'deny' ? 'refused' : 'allowed and failed'} ${refusedOrFailed}.`,
    cancelled: `It was ${record.verdict === 'deny' ? 'refused' : 'allowed'}; the client hung up before it ended.`,
    lost: `It was decided (${record.verdict}), and its end is lost.`,
  }
  return `${asked} ${endings[outcome ?? 'open']}`
}

function remarks({ record, isBeginningLost, isEndLost, dropped }: FoundDecision): string[] {
  const lines: string[] = []
  if (isBeginningLost) {
    lines.push(
      'The first half of this record (who asked for what) was dropped, because records came faster than they could be kept; see sluice_records_dropped_total.',
    )
  }
  if (isEndLost) {
    lines.push(
      'The gateway or its worker ended before the exchange did, so nobody knows what the client received.',
    )
  }
  if ((isEndLost || record.outcome === null) && dropped > 0) {
    lines.push(
      `Its end may be among the ${dropped} lines of records that this gateway has dropped.`,
    )
  }
  const hint = record.code === null ? undefined : hints[record.code]
  if (hint !== undefined) lines.push(`What to do: ${hint}`)
  return lines
}

function facts(record: RenderedRecord): [string, string | null][] {
  const { principal, request, route, response, usage, timing } = record
  return [
    ['time', record.time],
    ['node', record.node],
    [
      'who',
      principal &&
        `${principal.kind} ${principal.app}, tenant ${principal.tenant}${principal.team === null ? '' : `, team ${principal.team}`}`,
    ],
    ['key', principal && principal.key],
    ['roles', principal && (principal.roles.join(', ') || 'none')],
    ['asked', asked(request)],
    ['from', request.ip],
    ['trace', request.traceId],
    ['verdict', record.code === null ? record.verdict : `${record.verdict} (${record.code})`],
    ['route', route.chosen && `${route.chosen}${route.why === null ? '' : ` (${route.why})`}`],
    ['answer', response && answer(response)],
    ['tokens', usage && tokens(usage)],
    ['cost', usage && record.cost.amount === null ? 'unknown' : null],
    ['times', timing && times(timing)],
    ['outcome', record.outcome ?? 'open'],
    ['rules', record.snapshot],
    ['directory', record.directory === null ? null : String(record.directory)],
  ]
}

function asked(request: RenderedRecord['request']): string | null {
  const parts = [
    request.protocol,
    request.endpoint,
    request.model === null ? null : `model ${quoted(request.model)}`,
    request.stream === true ? 'streamed' : null,
    request.bytes === null ? null : `${request.bytes} bytes`,
  ]
  return parts.filter((part) => part !== null).join(', ') || null
}

function answer(response: NonNullable<RenderedRecord['response']>): string {
  const parts = [
    response.status === null ? 'nothing was sent' : `status ${response.status}`,
    response.mode,
    response.model === null ? null : `model ${response.model}`,
    response.finish === null ? null : `finish ${response.finish}`,
    `${response.bytes} bytes`,
    response.parsed === false ? 'could not be parsed' : null,
  ]
  return parts.filter((part) => part !== null).join(', ')
}

function tokens(usage: NonNullable<RenderedRecord['usage']>): string {
  const { input, cacheRead, cacheWrite, output, reasoning } = usage
  const rest = Object.entries({ 'cache read': cacheRead, 'cache write': cacheWrite, reasoning })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `, ${count} ${name}`)
  return `${input} input, ${output} output${rest.join('')} (counted by the provider)`
}

function times(timing: NonNullable<RenderedRecord['timing']>): string {
  const { upstreamFirstByteMs, gatewayMicros, totalMs } = timing
  const first =
    upstreamFirstByteMs === null ? '' : `, upstream's first byte after ${upstreamFirstByteMs} ms`
  return `${totalMs} ms in all, ${gatewayMicros} µs of it ours${first}`
}

function stepLines(record: RenderedRecord, paint: Paint): string[] {
  if (record.steps.length === 0) return ['  none recorded']
  const widths = [0, 0, 0]
  const rows = record.steps.map(({ stage, by, verdict, why, micros }) => {
    const cells = [stage, printable(by), verdict]
    cells.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length)
    })
    return {
      cells,
      verdict,
      rest: `${String(micros).padStart(6)} µs${why === undefined ? '' : `  ${printable(why)}`}`,
    }
  })
  return rows.map(({ cells, verdict, rest }) => {
    const padded = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0))
    const line = `  ${padded.join('  ')}  ${rest}`
    return verdict === 'deny' ? paint('red', line) : line
  })
}

function attemptLines(record: RenderedRecord, paint: Paint): string[] {
  const { attempts } = record.route
  if (attempts.length === 0) return []
  return [
    '',
    paint('bold', 'Upstream calls'),
    ...attempts.map(({ target, status, firstByteMs, error }) =>
      printable(
        `  ${target}  ${status === null ? 'no answer' : `status ${status}`}${
          firstByteMs === null ? '' : `, first byte after ${firstByteMs} ms`
        }${error === null ? '' : `, ${error}`}`,
      ),
    ),
  ]
}

function aligned(rows: readonly [string, string | null][], paint: Paint): string[] {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.flatMap(([name, text]) =>
    text === null ? [] : [`  ${paint('dim', name.padEnd(width))}  ${printable(text)}`],
  )
}

function lastDenial(record: RenderedRecord): string | null {
  return record.steps.findLast(({ verdict }) => verdict === 'deny')?.why ?? null
}

function statusOf({ response }: RenderedRecord): string {
  return typeof response?.status === 'number' ? ` (HTTP ${response.status})` : ''
}

/** What a client chose must not read like our own words either. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

/**
 * Clients choose some of these strings: a model's name must not move the cursor, colour the screen,
 * or turn the reading direction around. What is no harmless character is shown as its code.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return `\\u{${code.toString(16)}}`
  })
}

/** What helps, for codes where the reader of a record can do something. */
const hints: Readonly<Record<string, string>> = {
  credential_missing: 'send a key, as `Authorization: Bearer …` or as the client library does.',
  credential_invalid: 'check the key: it is not one of this gateway, or it was revoked.',
  credential_expired: 'issue a new key; this one is past its end.',
  access_denied: "add a rule to one of the caller's roles that allows this model and endpoint.",
  model_not_found: 'check the name; `GET /v1/models` lists what this caller may use.',
  request_too_large: 'send less, or raise the limit on request bodies.',
  request_timeout: 'send the body faster, or raise the time limit for bodies.',
  invalid_request: 'correct the request; the step `read` says what is wrong with it.',
  not_supported: 'use a feature or protocol that the chosen target speaks.',
  overloaded: 'try again shortly; if it stays so, raise the limits or add capacity.',
  upstream_failed: 'look at the upstream calls below; trying again can help.',
  upstream_rejected: "check the provider's credential and account in the configuration.",
  upstream_unavailable: 'see whether the provider is reachable; trying again can help.',
  upstream_timeout: 'try again, or raise the time-outs of the provider.',
  internal_error: "look for this decision's id in the gateway's own log.",
}
