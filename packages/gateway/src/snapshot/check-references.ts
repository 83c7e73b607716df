import { didYouMean } from '../lib/suggest.ts'
import { endpointNames, isEndpointName } from './endpoint-names.ts'
import type { Path, Problem } from './fault.ts'
import { formatPath } from './fault.ts'
import type { TreeMap } from './tree.ts'
import { child, listOf, mapOf } from './tree.ts'
import type { Show } from './validate.ts'

/**
 * Checks that what is named exists. It runs on the merged tree before the schema has had its say,
 * so that a run shows every fault; what has the wrong type is the schema's to report.
 */
export function checkReferences(tree: unknown, show: Show): readonly Problem[] {
  const root = mapOf(tree)
  const checks = [checkModels, checkRoles, checkTeamsAndRoles, checkKeys]
  return checks.flatMap((check) => check(root, show))
}

function checkModels(root: TreeMap, show: Show): readonly Problem[] {
  const providers = names(root, 'providers')
  const problems: Problem[] = []
  for (const [model, entry] of members(root, 'models')) {
    for (const [index, target] of listOf(child(entry, 'targets')).entries()) {
      const provider = child(target, 'provider')
      if (typeof provider !== 'string' || providers.has(provider)) continue
      const path = ['models', model, 'targets', index, 'provider']
      problems.push(missing({ path, what: 'provider', name: provider, known: providers, show }))
    }
  }
  return problems
}

function checkRoles(root: TreeMap, show: Show): readonly Problem[] {
  const known = { models: names(root, 'models'), providers: names(root, 'providers') }
  const problems: Problem[] = []
  for (const [role, entry] of members(root, 'roles')) {
    for (const [index, rule] of listOf(child(entry, 'allow')).entries()) {
      const path = ['roles', role, 'allow', index]
      for (const [at, pattern] of listOf(child(rule, 'models')).entries()) {
        problems.push(...checkModelPattern(pattern, [...path, 'models', at], { ...known, show }))
      }
      for (const [at, pattern] of listOf(child(rule, 'endpoints')).entries()) {
        problems.push(...checkEndpoint(pattern, [...path, 'endpoints', at], show))
      }
    }
  }
  return problems
}

interface Known {
  readonly models: ReadonlySet<string>
  readonly providers: ReadonlySet<string>
  readonly show: Show
}

/** In the order in which a caller's model name is resolved. */
function checkModelPattern(pattern: unknown, path: Path, known: Known): readonly Problem[] {
  if (typeof pattern !== 'string' || pattern.includes('*')) return []
  if (known.models.has(pattern)) return []
  const version = pattern.lastIndexOf('@')
  if (version > 0 && known.models.has(pattern.slice(0, version))) {
    const message = `\`${formatPath(path)}\`: versions of models are not supported yet`
    return [{ path, at: 'value', message }]
  }
  const slash = pattern.indexOf('/')
  if (slash > 0) {
    const provider = pattern.slice(0, slash)
    if (known.providers.has(provider)) return []
    return [
      missing({ path, what: 'provider', name: provider, known: known.providers, show: known.show }),
    ]
  }
  return [missing({ path, what: 'model', name: pattern, known: known.models, show: known.show })]
}

function checkEndpoint(pattern: unknown, path: Path, show: Show): readonly Problem[] {
  if (typeof pattern !== 'string' || pattern.includes('*') || isEndpointName(pattern)) return []
  return [missing({ path, what: 'endpoint', name: pattern, known: new Set(endpointNames), show })]
}

function checkTeamsAndRoles(root: TreeMap, show: Show): readonly Problem[] {
  const roles = names(root, 'roles')
  const problems: Problem[] = []
  for (const [tenant, entry] of members(root, 'tenants')) {
    const teams = names(mapOf(entry), 'teams')
    for (const [app, { team, roles: granted }] of members(mapOf(entry), 'apps')) {
      const path = ['tenants', tenant, 'apps', app]
      if (typeof team === 'string' && !teams.has(team)) {
        problems.push(
          missing({ path: [...path, 'team'], what: 'team', name: team, known: teams, show }),
        )
      }
      for (const [index, role] of listOf(granted).entries()) {
        if (typeof role !== 'string' || roles.has(role)) continue
        const at = [...path, 'roles', index]
        problems.push(missing({ path: at, what: 'role', name: role, known: roles, show }))
      }
    }
  }
  return problems
}

/** The digest is how a key is found, so it can stand only once. */
function checkKeys(root: TreeMap): readonly Problem[] {
  const seen = new Map<string, { tenant: string; app: string; index: number }>()
  const problems: Problem[] = []
  for (const [tenant, entry] of members(root, 'tenants')) {
    for (const [app, { keys }] of members(mapOf(entry), 'apps')) {
      for (const [index, key] of listOf(keys).entries()) {
        const digest = child(key, 'sha256')
        if (typeof digest !== 'string') continue
        const first = seen.get(digest)
        if (first === undefined) seen.set(digest, { tenant, app, index })
        else problems.push(keyTwice(keyPath({ tenant, app, index }), keyPath(first)))
      }
    }
  }
  return problems
}

function keyPath({ tenant, app, index }: { tenant: string; app: string; index: number }): Path {
  return ['tenants', tenant, 'apps', app, 'keys', index, 'sha256']
}

function keyTwice(path: Path, first: Path): Problem {
  const [here, there] = [path, first].map((it) => formatPath(it.slice(0, -1)))
  return {
    path,
    at: 'value',
    message: `\`${here}\` has the same digest as \`${there}\` at {other}; a key belongs to one app`,
    other: { path: first },
  }
}

interface Missing {
  readonly path: Path
  readonly what: string
  readonly name: string
  readonly known: ReadonlySet<string>
  readonly show: Show
}

function missing({ path, what, name, known, show }: Missing): Problem {
  const shown = show(name, path)
  const hint = didYouMean(name, known)
  const message = `\`${formatPath(path)}\`: there is no ${what} ${shown}${hint}`
  return { path, at: 'value', message }
}

function names(map: TreeMap, part: string): ReadonlySet<string> {
  return new Set(Object.keys(mapOf(child(map, part))))
}

function members(map: TreeMap, part: string): readonly (readonly [string, TreeMap])[] {
  return Object.entries(mapOf(child(map, part))).map(([name, value]) => [name, mapOf(value)])
}
