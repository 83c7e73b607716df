import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DecisionRecord } from '../exchange.ts'
import { findLine, unpackLines } from './block-body.ts'
import {
  type ClosedCounts,
  decode,
  encodeClosed,
  encodeDecided,
  encodeLost,
  readClosedCounts,
  readClosedHead,
  readDecidedHead,
} from './codec.ts'
import { aRecord, aRefusal } from './records.fixture.ts'

function roundTrip(record: DecisionRecord) {
  const decided = encodeDecided(record)
  const closed = encodeClosed(record)
  // The way they go: as UTF-8 through the ring and the store.
  const [first = '', second = ''] = Buffer.from(`${decided}\n${closed}`).toString().split('\n')
  return decode({ version: 1, decided: first, closed: second }, 'node-1')
}

test('renders every field of the decision record', () => {
  const record = aRecord({
    id: '019a3f6e-7c1b-7d2e-9f00-5b6c7d8e9f01',
    startedAt: 1_761_996_012_571,
  })
  expect(roundTrip(record)).toEqual({
    schema: 1,
    id: '019a3f6e-7c1b-7d2e-9f00-5b6c7d8e9f01',
    parent: null,
    purpose: null,
    time: '2025-11-01T11:20:12.571Z',
    snapshot: `sha256:${'ab'.repeat(32)}`,
    directory: 4711,
    node: 'node-1',
    principal: {
      kind: 'app',
      tenant: 'bank',
      team: 'support',
      app: 'agent-desk',
      key: 'key_0123456789ab',
      roles: ['support-agent'],
      authentication: { by: 'key', issuer: null, mfa: false, at: '2025-11-01T11:20:12.571Z' },
    },
    request: {
      protocol: 'openai-chat',
      endpoint: 'chat.completions',
      model: 'support-chat',
      version: null,
      stream: true,
      ip: '10.1.2.3',
      bytes: 812,
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
      { stage: 'authenticate', by: 'key', verdict: 'allow', micros: 4 },
      {
        stage: 'authorize',
        by: 'role:support-agent/allow/0',
        verdict: 'allow',
        why: 'models: support-*',
        micros: 3,
      },
    ],
    route: {
      chosen: 'openai/gpt-4o-mini',
      why: 'first of 2',
      residency: null,
      attempts: [{ target: 'openai/gpt-4o-mini', status: 200, firstByteMs: 312, error: null }],
    },
    translation: null,
    response: {
      mode: 'stream',
      finish: 'stop',
      status: 200,
      bytes: 5120,
      parsed: true,
      model: 'gpt-4o-mini-2024-07-18',
    },
    usage: {
      input: 190,
      cacheRead: 0,
      cacheWrite: 0,
      output: 512,
      reasoning: 0,
      source: 'provider',
    },
    cost: { amount: null, currency: null, known: false },
    timing: { gatewayMicros: 160, upstreamFirstByteMs: 312, totalMs: 4100 },
    outcome: 'completed',
  })
})

test('an open exchange has no outcome, and one without a beginning still says how it ended', () => {
  const record = aRefusal()
  const open = decode({ version: 1, decided: encodeDecided(record), closed: null }, null)
  expect(open).toMatchObject({ outcome: null, response: null, usage: null, timing: null })

  const headless = decode({ version: 1, decided: null, closed: encodeClosed(record) }, null)
  expect(headless).toMatchObject({
    id: record.id,
    time: new Date(record.startedAt).toISOString(),
    principal: null,
    verdict: 'deny',
    code: 'access_denied',
    steps: [],
    outcome: 'denied',
  })
})

test('an exchange whose worker died is lost, with the verdict as decided', () => {
  const decided = encodeDecided(aRecord())
  const closed = encodeLost(readDecidedHead(decided.slice(0, 120)), 'internal_error')
  expect(decode({ version: 1, decided, closed }, null)).toMatchObject({
    verdict: 'allow',
    code: 'internal_error',
    response: null,
    timing: null,
    outcome: 'lost',
  })
})

/** Any UTF-16 units, so also lone surrogates, and often what could break a line or a field. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc
    .array(fc.constantFrom('\t', '\n', '"', '\\', '\ud800', '\udc00', 'é', 'D\t', 'C\t'))
    .map((parts) => parts.join('')),
)
const count = fc.nat({ max: 2 ** 40 })
const record = fc
  .record({
    model: fc.option(text),
    ip: text,
    traceId: fc.option(text),
    target: fc.option(text),
    targetWhy: fc.option(text),
    finish: fc.option(text),
    answeredModel: fc.option(text),
    requestBytes: count,
    responseBytes: count,
    status: fc.option(fc.integer({ min: 100, max: 599 })),
    tls: fc.option(fc.record({ version: text, cipher: text })),
    principal: fc.option(
      fc.record({
        kind: fc.constant('app' as const),
        tenant: text,
        team: fc.option(text),
        app: text,
        key: text,
        roles: fc.array(text),
      }),
    ),
    steps: fc.array(
      fc.record({
        stage: fc.constantFrom('authenticate' as const, 'read' as const),
        by: text,
        verdict: fc.constantFrom('allow' as const, 'deny' as const),
        why: fc.option(text),
        micros: count,
      }),
    ),
    attempts: fc.array(
      fc.record({
        target: text,
        status: fc.option(fc.integer({ min: 100, max: 599 })),
        firstByteMs: fc.option(count),
        error: fc.option(text),
      }),
    ),
  })
  .map((changes) => aRecord(changes))

test('brings back any strings, and nothing in them looks like a field or a line', () => {
  fc.assert(
    fc.property(record, (original) => {
      const rendered = roundTrip(original)
      expect(rendered.principal).toEqual(
        original.principal && {
          ...original.principal,
          authentication: expect.objectContaining({ by: 'key' }) as unknown,
        },
      )
      expect(rendered.request).toMatchObject({
        model: original.model,
        ip: original.ip,
        traceId: original.traceId,
        bytes: original.requestBytes,
        tls: original.tls,
      })
      expect(rendered.steps.map((step) => ({ why: null, ...step }))).toEqual(original.steps)
      expect(rendered.route).toMatchObject({
        chosen: original.target,
        why: original.targetWhy,
        attempts: original.attempts,
      })
      expect(rendered.response).toMatchObject({
        finish: original.finish,
        model: original.answeredModel,
        status: original.status,
        bytes: original.responseBytes,
      })
      expect(encodeDecided(original)).not.toMatch(/\n/)
      expect(encodeDecided(original).split('\t')).toHaveLength(7)
      expect(encodeClosed(original)).not.toMatch(/\n/)
      expect(encodeClosed(original).split('\t')).toHaveLength(11)
    }),
  )
})

test('numbers that are none do not spoil a line', () => {
  const rendered = roundTrip(aRecord({ gatewayMicros: NaN, totalMs: -3, responseBytes: Infinity }))
  expect(rendered.timing).toMatchObject({ gatewayMicros: 0, totalMs: 0 })
  expect(rendered.response?.bytes).toBe(0)
})

test('metrics read the same from a line as a reader does', () => {
  const counts: ClosedCounts = {
    labels: '',
    gatewayMicros: 0,
    firstByteTenths: 0,
    tokens: [0, 0, 0, 0, 0],
  }
  readClosedCounts(encodeClosed(aRecord()).slice(0, 150), counts)
  expect(counts).toEqual({
    labels: 'allow\t\topenai-chat',
    gatewayMicros: 160,
    firstByteTenths: 3120,
    tokens: [190, 0, 0, 512, 0],
  })

  const refused = encodeClosed(aRefusal())
  readClosedCounts(refused, counts)
  expect(counts).toMatchObject({ labels: 'deny\taccess_denied\topenai-chat', firstByteTenths: -1 })
  expect(counts.tokens[0]).toBe(-1)
  expect(readClosedHead(refused)).toMatchObject({ code: 'access_denied', usage: null })
})

test('refuses lines of a version that it does not know', () => {
  expect(() => decode({ version: 2, decided: '', closed: null }, null)).toThrow(/version 2/)
})

test('reads blocks that version 1 wrote', () => {
  const block = readFileSync(new URL('./fixtures/v1.block', import.meta.url))
  const expected = JSON.parse(
    readFileSync(new URL('./fixtures/v1.json', import.meta.url), 'utf8'),
  ) as { id: string }[]

  const raw = Buffer.from(`${unpackLines(block).join('\n')}\n`)
  const rendered = expected.map(({ id }) =>
    decode(
      { version: 1, decided: findLine(raw, 'D', id), closed: findLine(raw, 'C', id) },
      'node-1',
    ),
  )
  expect(rendered).toEqual(expected)
})
