import { expect, test } from 'vitest'
import { readHeaders } from './request-headers.ts'
import { headersForClient } from './response-headers.ts'

test('requests go upstream by allow-list', () => {
  const { forward } = readHeaders(
    [
      ['Accept', 'a'],
      ['User-Agent', 'b'],
      ['OpenAI-Beta', 'c'],
      ['OpenAI-Organization', 'no'],
      ['OpenAI-Project', 'no'],
      ['anthropic-version', 'd'],
      ['anthropic-beta', 'e'],
      ['X-Stainless-Lang', 'f'],
      ['traceparent', 'g'],
      ['Cookie', 'no'],
      ['Authorization', 'no'],
      ['X-Api-Key', 'no'],
      ['Idempotency-Key', 'no'],
      ['X-Forwarded-For', 'no'],
      ['Host', 'no'],
      ['Connection', 'no'],
      ['X-Request-Id', 'no'],
    ].flat(),
  )
  expect(forward.filter((_, index) => index % 2 === 1)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
})

test('answers come back by deny-list', () => {
  const kept = headersForClient({
    'content-type': 'application/json',
    'x-request-id': 'r',
    'retry-after': '1',
    'retry-after-ms': '1000',
    link: ['a', 'b'],
    'set-cookie': ['c'],
    server: 's',
    'x-ratelimit-remaining-tokens': '1',
    'anthropic-ratelimit-requests-limit': '1',
    'openai-organization': 'o',
    'anthropic-organization-id': 'o',
    'transfer-encoding': 'chunked',
    'content-length': '1',
    'x-sluice-decision': 'forged',
  })
  expect(kept.join(' ')).toBe(
    'content-type application/json x-request-id r retry-after 1 retry-after-ms 1000 link a link b',
  )
})
