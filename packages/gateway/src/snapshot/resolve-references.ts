import type { Path, Problem } from './fault.ts'
import { isMap } from './tree.ts'

/** Where `${NAME}` and `{ file: path }` get what they stand for. */
export interface Outside {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The text of a file, or null if it cannot be read. */
  readonly readFile: (path: string) => string | null
}

export interface Resolved {
  readonly value: unknown
  /** What came from outside the files: never shown. */
  readonly secrets: readonly Path[]
  readonly problems: readonly Problem[]
}

/** A map of these parts has a member `file` of its own. */
const ownFileMember: readonly string[] = ['decisions.log']

/** Far more than a configuration needs. */
const deepest = 100

/** `$${` is a literal `${`; a default may be empty and holds no `}`. */
const reference = /\$\$\{|\$\{([^}]*)\}/g
const insideReference = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s

/** Fills in what strings and `{ file: … }` refer to. What refers to nothing is kept as it is. */
export function resolveReferences(tree: unknown, outside: Outside): Resolved {
  const secrets: Path[] = []
  const problems: Problem[] = []

  const report = (path: Path, message: string): void => {
    problems.push({ path: [...path], at: 'value', message })
  }

  const text = (value: string, path: Path): string => {
    if (!value.includes('${')) return value
    return value.replace(reference, (whole: string, inside: string | undefined) => {
      if (inside === undefined) return '${'
      const [, name, fallback] = insideReference.exec(inside) ?? []
      if (name === undefined) {
        report(
          path,
          `\`${whole}\` does not name an environment variable; write \${NAME}, or $\${ for a literal \${`,
        )
        return whole
      }
      secrets.push([...path])
      const found = outside.environment[name]
      // As in a shell, `:-` also stands in for an empty variable.
      const filled = fallback === undefined ? found : found === '' ? fallback : (found ?? fallback)
      if (filled === undefined) report(path, `the environment variable \`${name}\` is not set`)
      return filled ?? whole
    })
  }

  const file = (value: string, path: Path): string => {
    const name = text(value, path)
    const content = outside.readFile(name)
    secrets.push([...path])
    if (content === null) report(path, `cannot read the file \`${name}\``)
    return content === null ? '' : content.replace(/\r?\n$/, '')
  }

  const path: (string | number)[] = []
  const resolve = (value: unknown): unknown => {
    if (typeof value === 'string') return text(value, path)
    if (Array.isArray(value)) return resolveList(value)
    if (!isMap(value)) return value
    if (isFileReference(value) && !ownFileMember.includes(path.join('.'))) {
      return file(value.file, [...path])
    }
    return resolveMap(value)
  }

  const step = (value: unknown, segment: string | number): unknown => {
    if (path.length >= deepest) {
      report(path, `nested more than ${deepest} levels deep`)
      return null
    }
    path.push(segment)
    const resolved = resolve(value)
    path.pop()
    return resolved
  }

  const resolveList = (list: readonly unknown[]): unknown => {
    const resolved = list.map(step)
    return resolved.every((item, index) => item === list[index]) ? list : resolved
  }

  const resolveMap = (map: Readonly<Record<string, unknown>>): unknown => {
    let changed: Record<string, unknown> | null = null
    for (const name of Object.keys(map)) {
      if (name === '__proto__') {
        problems.push({ path: [...path, name], at: 'key', message: '`__proto__` cannot be a name' })
        continue
      }
      const resolved = step(map[name], name)
      if (resolved === map[name]) continue
      changed ??= { ...map }
      changed[name] = resolved
    }
    return changed ?? map
  }

  return { value: resolve(tree), secrets, problems }
}

function isFileReference(map: Readonly<Record<string, unknown>>): map is { readonly file: string } {
  return typeof map['file'] === 'string' && Object.keys(map).length === 1
}
