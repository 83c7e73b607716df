import type { Closed, Decided } from './record-halves.ts'
import { idTime } from './record-id.ts'
import type { RenderedPrincipal, RenderedRecord, RenderedRequest } from './rendered-record.ts'

/** Puts the two halves of an exchange together; either may be missing, not both. */
export function renderRecord(found: {
  readonly decided: Decided | null
  readonly closed: Closed | null
  readonly node: string | null
}): RenderedRecord {
  const { decided, closed, node } = found
  const first = closed ?? decided
  if (first === null) throw new Error('A record needs at least one of its two lines.')

  const time = new Date(decided?.startedAt ?? idTime(first.id)).toISOString()
  return {
    schema: 1,
    id: first.id,
    parent: null,
    purpose: null,
    time,
    snapshot: decided?.snapshot ?? null,
    directory: decided?.directory ?? null,
    node,
    principal: renderPrincipal(decided, time),
    request: renderRequest(decided, first.protocol),
    verdict: first.verdict,
    code: first.code,
    steps: (decided?.steps ?? []).map(({ stage, by, verdict, why, micros }) =>
      why === null ? { stage, by, verdict, micros } : { stage, by, verdict, why, micros },
    ),
    route: {
      chosen: decided?.target ?? null,
      why: decided?.targetWhy ?? null,
      residency: null,
      attempts: closed?.answer?.attempts ?? [],
    },
    translation: null,
    response: renderResponse(closed),
    usage: closed?.usage ?? null,
    cost: { amount: null, currency: null, known: false },
    timing: closed?.timing ?? null,
    outcome: closed?.outcome ?? null,
  }
}

function renderPrincipal(decided: Decided | null, at: string): RenderedPrincipal | null {
  if (!decided?.principal) return null
  return { ...decided.principal, authentication: { by: 'key', issuer: null, mfa: false, at } }
}

function renderRequest(decided: Decided | null, protocol: string | null): RenderedRequest {
  return {
    protocol,
    endpoint: decided?.endpoint ?? null,
    model: decided?.model ?? null,
    version: null,
    stream: decided?.stream ?? null,
    ip: decided?.ip ?? null,
    bytes: decided?.requestBytes ?? null,
    inputTokens: null,
    session: null,
    conversation: null,
    traceId: decided?.traceId ?? null,
    tags: null,
    tls: decided?.tls ?? null,
  }
}

function renderResponse(closed: Closed | null): RenderedRecord['response'] {
  if (!closed?.answer) return null
  const { mode, finish, status, responseBytes, parsed, answeredModel } = closed.answer
  return { mode, finish, status, bytes: responseBytes, parsed, model: answeredModel }
}
