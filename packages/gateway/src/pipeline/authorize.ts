import { GatewayError } from '../errors.ts'
import type { Endpoint, Principal } from '../exchange.ts'
import type { Grants } from './grants.ts'

/** The rule that allows this call. Nothing is allowed that no rule allows. */
export function authorize(
  principal: Principal,
  { endpoint, model }: { endpoint: Endpoint; model: string },
  grants: Grants,
): string {
  const rule = grants.find(principal.roles, endpoint, model)
  if (rule !== null) return rule

  const roles = principal.roles.length === 0 ? 'no role' : principal.roles.join(', ')
  throw new GatewayError(
    'access_denied',
    'Your key does not allow this model on this endpoint; GET /v1/models lists what it allows.',
    { why: `no rule allows model "${model}" on ${endpoint} for the caller's roles (${roles})` },
  )
}
