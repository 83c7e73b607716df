import type { Endpoint, RoleRule, Rules } from '../exchange.ts'
import { compileGlob } from '../lib/glob.ts'

/** What roles allow, compiled once for each set of rules. */
export interface Grants {
  /** The rule that allows it, such as `role:agent/allow/0`; null if none does. */
  find(roles: readonly string[], endpoint: Endpoint, model: string): string | null
  /** Whether any rule allows the model on any endpoint. */
  allowsModel(roles: readonly string[], model: string): boolean
  /** Names without a wildcard that rules of these roles spell out. */
  namedModels(roles: readonly string[]): readonly string[]
}

interface CompiledRule {
  readonly by: string
  readonly models: readonly ((name: string) => boolean)[]
  readonly named: readonly string[]
  readonly endpoints: readonly ((name: string) => boolean)[] | null
}

export function compileGrants(rules: Rules): Grants {
  const byRole = new Map(
    Object.entries(rules.roles).map(([name, role]) => [name, compileRole(name, role)] as const),
  )
  const rulesOf = (roles: readonly string[]) => roles.flatMap((role) => byRole.get(role) ?? [])

  return {
    find(roles, endpoint, model) {
      for (const role of roles) {
        for (const rule of byRole.get(role) ?? []) {
          if (allowsName(rule, model) && allowsEndpoint(rule, endpoint)) return rule.by
        }
      }
      return null
    },
    allowsModel: (roles, model) =>
      rulesOf(roles).some((rule) => rule.endpoints?.length !== 0 && allowsName(rule, model)),
    namedModels: (roles) => rulesOf(roles).flatMap((rule) => rule.named),
  }
}

function compileRole(name: string, role: RoleRule): readonly CompiledRule[] {
  return role.allow.map((rule, index) => ({
    by: `role:${name}/allow/${index}`,
    models: rule.models.map(compileGlob),
    named: rule.models.filter((pattern) => !pattern.includes('*')),
    endpoints: rule.endpoints?.map(compileGlob) ?? null,
  }))
}

function allowsName(rule: CompiledRule, model: string): boolean {
  for (const matches of rule.models) if (matches(model)) return true
  return false
}

function allowsEndpoint(rule: CompiledRule, endpoint: string): boolean {
  return rule.endpoints?.some((matches) => matches(endpoint)) ?? true
}
