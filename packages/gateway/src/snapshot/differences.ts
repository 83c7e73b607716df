import type { Path } from './fault.ts'
import { formatPath } from './fault.ts'
import { isMap } from './tree.ts'

/** One member that is not what it was. Secrets are never shown. */
export interface Difference {
  readonly path: string
  readonly kind: 'added' | 'removed' | 'changed'
  readonly before?: unknown
  readonly after?: unknown
}

export interface Differences {
  readonly differences: readonly Difference[]
  /** How many more there are than are listed. */
  readonly more: number
}

export interface Side {
  readonly tree: unknown
  /** Paths, as `JSON.stringify` writes them, whose values are not shown. */
  readonly secrets: ReadonlySet<string>
}

const maxListed = 1_000
const maxMembers = 50
const maxText = 200
const secretMembers: readonly string[] = ['apiKey']

/** Compares two merged configurations, member by member. */
export function findDifferences(before: Side, after: Side): Differences {
  const differences: Difference[] = []
  let count = 0
  const path: (string | number)[] = []

  const add = (old: unknown, now: unknown): void => {
    count++
    if (count > maxListed) return
    const kind = old === undefined ? 'added' : now === undefined ? 'removed' : 'changed'
    differences.push({
      path: formatPath(path),
      kind,
      ...(old === undefined ? {} : { before: shown(old, [...path], before.secrets) }),
      ...(now === undefined ? {} : { after: shown(now, [...path], after.secrets) }),
    })
  }

  const compareMembers = (old: Members, now: Members): void => {
    for (const name of Object.keys(old)) compareMember(name, old[name], now[name])
    for (const name of Object.keys(now)) {
      if (!Object.hasOwn(old, name)) compareMember(name, undefined, now[name])
    }
  }

  const compareMember = (name: string | number, old: unknown, now: unknown): void => {
    path.push(name)
    compare(old, now)
    path.pop()
  }

  const compare = (old: unknown, now: unknown): void => {
    if (old === now) return
    if (isMap(old) && isMap(now)) compareMembers(old, now)
    else if (Array.isArray(old) && Array.isArray(now)) {
      const length = Math.max(old.length, now.length)
      for (let index = 0; index < length; index++) compareMember(index, old[index], now[index])
    } else add(old, now)
  }

  compare(before.tree, after.tree)
  return { differences, more: count - differences.length }
}

type Members = Readonly<Record<string, unknown>>

/** A value that may be written down: without secrets, and not larger than a person would read. */
function shown(value: unknown, path: Path, secrets: ReadonlySet<string>): unknown {
  if (secrets.has(JSON.stringify(path)) || secretMembers.includes(String(path.at(-1)))) {
    return '(secret)'
  }
  if (typeof value === 'string') {
    return value.length > maxText ? `${value.slice(0, maxText)}…` : value
  }
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value)
  if (members.length > maxMembers) return `(${members.length} members)`
  if (Array.isArray(value))
    return value.map((inner, index) => shown(inner, [...path, index], secrets))
  return Object.fromEntries(
    members.map(([name, inner]) => [name, shown(inner, [...path, name], secrets)]),
  )
}
