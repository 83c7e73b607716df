import { below } from '../../random.ts'
import type { Format, Scene } from '../format.ts'
import { encodeStream, encodeWhole } from './encode.ts'
import { encodeFailure } from './failures.ts'
import { pretty } from './pretty.ts'
import { read } from './read.ts'

/** OpenAI's chat completions, as api.openai.com speaks them. */
export const openaiChat: Format = {
  path: '/v1/chat/completions',
  read,
  encodeWhole,
  encodeStream,
  encodeFailure,
  failureEvent: (scene) => ({ data: encodeFailure({ status: 500 }, scene, 0), tokens: 0 }),
  encodeModels: (names) => pretty({ object: 'list', data: names.map(modelCard) }),
  encodeModel: (name) => pretty(modelCard(name)),
  headers,
}

function modelCard(id: string) {
  return { id, object: 'model', created: 1_735_689_600, owned_by: 'simulator' }
}

function headers({ random, nonce }: Scene, status: number): Record<string, string> {
  return {
    'openai-version': '2020-10-01',
    'openai-processing-ms': String(100 + below(random, 900)),
    'x-ratelimit-limit-requests': '30000',
    'x-ratelimit-limit-tokens': '150000000',
    'x-ratelimit-remaining-requests': status === 429 ? '0' : '29999',
    'x-ratelimit-remaining-tokens': '149999990',
    'x-ratelimit-reset-requests': status === 429 ? '1s' : '2ms',
    'x-ratelimit-reset-tokens': '0s',
    'x-request-id': `req_${nonce}`,
  }
}
