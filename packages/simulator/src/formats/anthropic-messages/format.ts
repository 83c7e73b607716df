import type { Answer } from '../../answer.ts'
import type { Format, Scene } from '../format.ts'
import { encodeStream, encodeWhole } from './encode.ts'
import { encodeFailure, requestId } from './failures.ts'
import { read } from './read.ts'

/** Anthropic's messages, as api.anthropic.com speaks them. */
export const anthropicMessages: Format = {
  path: '/v1/messages',
  read,
  encodeWhole: ([answer = silence], scene) => encodeWhole(answer, scene),
  encodeStream: ([answer = silence], scene) => encodeStream(answer, scene),
  encodeFailure,
  failureEvent: (scene) => ({
    event: 'error',
    data: encodeFailure({ status: 529 }, scene),
    tokens: 0,
  }),
  encodeModels: (names) =>
    JSON.stringify({
      data: names.map(modelCard),
      has_more: false,
      first_id: names[0] ?? null,
      last_id: names.at(-1) ?? null,
    }),
  encodeModel: (name) => JSON.stringify(modelCard(name)),
  headers,
}

const silence: Answer = {
  blocks: [],
  finish: 'stop',
  usage: { input: 0, output: 0, reasoning: 0 },
}

function modelCard(id: string) {
  return { type: 'model', id, display_name: id, created_at: '2025-01-01T00:00:00Z' }
}

function headers({ nonce }: Scene, status: number): Record<string, string> {
  return {
    'anthropic-ratelimit-requests-limit': '20000',
    'anthropic-ratelimit-requests-remaining': status === 429 ? '0' : '19999',
    'anthropic-ratelimit-tokens-limit': '24000000',
    'anthropic-ratelimit-tokens-remaining': '23999000',
    'request-id': requestId(nonce),
    ...(status >= 400 && { 'x-should-retry': String(status === 429 || status >= 500) }),
  }
}
