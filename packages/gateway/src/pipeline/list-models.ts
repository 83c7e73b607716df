import { GatewayError } from '../errors.ts'
import type { Principal } from '../exchange.ts'
import type { HttpExchange } from './http-exchange.ts'

/** `GET /v1/models` and `/v1/models/{id}`: what the caller may use, nothing else. */
export function sendModels(exchange: HttpExchange, principal: Principal): void {
  const names = usableModels(exchange, principal)
  const id = decodeId(exchange.path.slice('/v1/models/'.length))
  const known = id === null ? undefined : names.find((name) => name === id)
  if (id !== null && known === undefined) {
    throw new GatewayError(
      'model_not_found',
      'There is no model of this name that you may use; GET /v1/models lists those that there are.',
    )
  }
  const body = known === undefined ? listOf(names) : entry(known)
  exchange.send(200, ['content-type', 'application/json'], JSON.stringify(body))
}

function decodeId(encoded: string): string | null {
  if (encoded === '') return null
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}

/** Entries that a rule allows, and `provider/model` names that a rule spells out. */
function usableModels({ plane }: HttpExchange, { roles }: Principal): string[] {
  const { rules, grants } = plane
  const entries = Object.keys(rules.models).filter((name) => grants.allowsModel(roles, name))
  const direct = grants.namedModels(roles).filter((name) => {
    const slash = name.indexOf('/')
    return slash > 0 && Object.hasOwn(rules.providers, name.slice(0, slash))
  })
  return [...new Set([...entries, ...direct])].sort()
}

/** One answer for the clients of both formats: each reads the members that it knows. */
function listOf(names: readonly string[]) {
  return {
    object: 'list',
    data: names.map(entry),
    has_more: false,
    first_id: names[0] ?? null,
    last_id: names.at(-1) ?? null,
  }
}

function entry(id: string) {
  return {
    id,
    object: 'model',
    created: 0,
    owned_by: 'sluice',
    type: 'model',
    display_name: id,
    created_at: '1970-01-01T00:00:00Z',
  }
}
