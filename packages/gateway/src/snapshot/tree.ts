import type { Path } from './fault.ts'

export type TreeMap = Readonly<Record<string, unknown>>

export function isMap(value: unknown): value is TreeMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value if it is a map, else an empty one: for checks that run on what may be wrong. */
export function mapOf(value: unknown): TreeMap {
  return isMap(value) ? value : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** One step down; undefined where there is no such member, inherited ones included. */
export function child(value: unknown, segment: string | number): unknown {
  if (Array.isArray(value)) return typeof segment === 'number' ? value[segment] : undefined
  return isMap(value) && Object.hasOwn(value, segment) ? value[segment] : undefined
}

export function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce(child, tree)
}

/** How many segments of the path exist in the tree. */
export function depthOf(tree: unknown, path: Path): number {
  let value = tree
  let depth = 0
  for (const segment of path) {
    value = child(value, segment)
    if (value === undefined) break
    depth++
  }
  return depth
}
