import { GatewayError } from '../errors.ts'
import type { Endpoint } from '../exchange.ts'
import type { WireFormat } from '../protocol.ts'
import { wireFormats } from '../protocols/index.ts'

export interface Route {
  readonly wireFormat: WireFormat
  readonly endpoint: Endpoint
  readonly method: 'GET' | 'POST'
}

const routes: ReadonlyMap<string, Route> = new Map<string, Route>([
  [
    '/v1/chat/completions',
    { wireFormat: wireFormats['openai-chat'], endpoint: 'chat.completions', method: 'POST' },
  ],
  [
    '/v1/messages',
    { wireFormat: wireFormats['anthropic-messages'], endpoint: 'messages', method: 'POST' },
  ],
  ['/v1/models', { wireFormat: wireFormats['openai-chat'], endpoint: 'models', method: 'GET' }],
])

const oneModel: Route = {
  wireFormat: wireFormats['openai-chat'],
  endpoint: 'models',
  method: 'GET',
}

/** The path decides the format of everything, refusals included; an unknown one speaks OpenAI's. */
export function findRoute(path: string): Route | null {
  return routes.get(path) ?? (path.startsWith('/v1/models/') ? oneModel : null)
}

/** What a path that leads nowhere is told. */
export function unknownPath(): GatewayError {
  return new GatewayError(
    'not_found',
    'There is nothing at this path. Known are POST /v1/chat/completions, POST /v1/messages and ' +
      'GET /v1/models.',
  )
}

export function wrongMethod(route: Route): GatewayError {
  return new GatewayError('method_not_allowed', `This path takes ${route.method} only.`)
}
