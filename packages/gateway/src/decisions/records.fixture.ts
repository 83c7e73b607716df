import type { DecisionRecord } from '../exchange.ts'
import { uuidv7 } from '../lib/ids.ts'

/** Records for tests: one that was allowed and completed, changed as asked. */
export function aRecord(changes: Partial<DecisionRecord> = {}): DecisionRecord {
  const startedAt = changes.startedAt ?? Date.now()
  return {
    id: uuidv7(startedAt),
    startedAt,
    snapshot: `sha256:${'ab'.repeat(32)}`,
    directory: 4711,
    principal: {
      kind: 'app',
      tenant: 'bank',
      team: 'support',
      app: 'agent-desk',
      key: 'key_0123456789ab',
      roles: ['support-agent'],
    },
    protocol: 'openai-chat',
    endpoint: 'chat.completions',
    model: 'support-chat',
    stream: true,
    ip: '10.1.2.3',
    requestBytes: 812,
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    tls: null,
    steps: [
      { stage: 'authenticate', by: 'key', verdict: 'allow', why: null, micros: 4 },
      {
        stage: 'authorize',
        by: 'role:support-agent/allow/0',
        verdict: 'allow',
        why: 'models: support-*',
        micros: 3,
      },
    ],
    target: 'openai/gpt-4o-mini',
    targetWhy: 'first of 2',
    verdict: 'allow',
    code: null,
    attempts: [{ target: 'openai/gpt-4o-mini', status: 200, firstByteMs: 312, error: null }],
    mode: 'stream',
    finish: 'stop',
    answeredModel: 'gpt-4o-mini-2024-07-18',
    status: 200,
    responseBytes: 5120,
    parsed: true,
    usage: {
      input: 190,
      cacheRead: 0,
      cacheWrite: 0,
      output: 512,
      reasoning: 0,
      source: 'provider',
    },
    gatewayMicros: 160,
    upstreamFirstByteMs: 312,
    totalMs: 4100,
    outcome: 'completed',
    ...changes,
  }
}

/** One that was refused before any upstream was called. */
export function aRefusal(changes: Partial<DecisionRecord> = {}): DecisionRecord {
  return aRecord({
    steps: [
      { stage: 'authenticate', by: 'key', verdict: 'allow', why: null, micros: 4 },
      {
        stage: 'authorize',
        by: 'roles',
        verdict: 'deny',
        why: 'no rule of role support-agent allows model secret-chat',
        micros: 3,
      },
    ],
    model: 'secret-chat',
    target: null,
    targetWhy: null,
    verdict: 'deny',
    code: 'access_denied',
    attempts: [],
    mode: 'json',
    finish: null,
    answeredModel: null,
    status: 403,
    responseBytes: 210,
    parsed: null,
    usage: null,
    upstreamFirstByteMs: null,
    totalMs: 1.2,
    outcome: 'denied',
    ...changes,
  })
}
