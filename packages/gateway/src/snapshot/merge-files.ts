import type { Problem } from './fault.ts'
import { isMap } from './tree.ts'

export interface NamedTree {
  readonly name: string
  readonly value: unknown
}

/** Each of these is one definition: it stands in one file, whole. Everything above it is merged. */
const definitions: readonly string[] = [
  'providers.*',
  'models.*',
  'roles.*',
  'tenants.*.teams.*',
  'tenants.*.apps.*',
]
const definitionPaths = definitions.map((path) => path.split('.'))

/** Every file may say these. */
const inEveryFile: readonly string[] = ['version', 'include']

/** Merges the maps of all files; two definitions of one name are a problem that names both places. */
export function mergeFiles(files: readonly NamedTree[]): {
  readonly tree: unknown
  readonly problems: readonly Problem[]
} {
  const problems: Problem[] = []
  const owners = new Map<string, string>()
  const path: string[] = []

  const merge = (target: Record<string, unknown>, source: NamedTree): void => {
    if (!isMap(source.value)) return
    for (const name of Object.keys(source.value)) {
      if (name === '__proto__' || (path.length === 0 && inEveryFile.includes(name))) continue
      path.push(name)
      mergeMember(target, { name: source.name, value: source.value[name] })
      path.pop()
    }
  }

  const mergeMember = (target: Record<string, unknown>, source: NamedTree): void => {
    const name = path.at(-1) ?? ''
    const exists = Object.hasOwn(target, name)
    const known = target[name]
    const isContainer = isMap(source.value) && !isDefinition(path)
    if (isContainer && (!exists || isMap(known))) {
      const container = exists && isMap(known) ? (known as Record<string, unknown>) : {}
      target[name] = container
      if (!exists) owners.set(keyOf(path), source.name)
      merge(container, source)
      return
    }
    if (exists) {
      problems.push(definedTwice(path, source.name, owners.get(keyOf(path))))
      return
    }
    owners.set(keyOf(path), source.name)
    target[name] = source.value
  }

  const tree: Record<string, unknown> = {}
  for (const name of inEveryFile) {
    const first = files[0]?.value
    if (isMap(first) && Object.hasOwn(first, name)) tree[name] = first[name]
  }
  for (const file of files) merge(tree, file)
  return { tree, problems }
}

function definedTwice(path: readonly string[], file: string, first: string | undefined): Problem {
  const name = path.join('.')
  return {
    path: [...path],
    at: 'key',
    file,
    message: `\`${name}\` is defined twice: here and at {other}; keep one of the two`,
    other: { path: [...path], ...(first === undefined ? {} : { file: first }) },
  }
}

function isDefinition(path: readonly string[]): boolean {
  return definitionPaths.some(
    (pattern) =>
      pattern.length === path.length &&
      pattern.every((segment, index) => segment === '*' || segment === path[index]),
  )
}

function keyOf(path: readonly string[]): string {
  return path.join('\0')
}
