import type { Rules } from '../exchange.ts'
import { checkReferences } from './check-references.ts'
import { checkServers } from './check-servers.ts'
import { compileRules } from './compile-rules.ts'
import type { ConfigurationValues } from './configuration-schema.ts'
import type { DirectoryEntry, DirectoryImage } from './directory.ts'
import { hasSameContent, packDirectory } from './directory.ts'
import type { Path, Problem } from './fault.ts'
import { ConfigurationError } from './fault.ts'
import { placeProblems } from './place-problems.ts'
import { readCertificates } from './read-certificates.ts'
import type { ConfigurationSource, IncludePattern, ReadFiles } from './read-files.ts'
import { readFiles, sourceOf } from './read-files.ts'
import type { Settings } from './settings.ts'
import { compileSettings } from './settings.ts'
import { isMap } from './tree.ts'
import { validate } from './validate.ts'
import { fingerprint } from './watch-configuration.ts'

/** A configuration without a fault, compiled. */
export interface Configuration {
  readonly settings: Settings
  readonly rules: Rules
  readonly directory: DirectoryImage
  /** Every file that was read, absolute. */
  readonly files: readonly string[]
  /** The globs of `include`: a new file that matches changes the configuration too. */
  readonly patterns: readonly IncludePattern[]
  /** The state of those files right after they were read. */
  readonly fingerprint: string
  /** The first file, or the name of the text. */
  readonly source: string
  /** What the files say, merged, for differences. */
  readonly tree: unknown
  /** Paths, as `JSON.stringify` writes them, whose values came from outside the files. */
  readonly secrets: ReadonlySet<string>
}

/**
 * Reads, checks and compiles a configuration; throws a ConfigurationError that holds every fault.
 * Rules and directory keep their identity where they equal those of `previous`; a directory that
 * differs gets the next revision.
 */
export async function loadConfiguration(
  from: ConfigurationSource,
  environment: NodeJS.ProcessEnv,
  previous: Configuration | null = null,
): Promise<Configuration> {
  const read = await readFiles(from, environment)
  const values = check(read)
  const directoryOf = (path: Path) => sourceOf(read.sources, path)?.directory ?? process.cwd()
  const certificates = await readCertificates(values, directoryOf)
  const files = [...new Set([...read.files, ...certificates.files])]
  refuse(certificates.problems, { ...read, files })

  const rules = compileRules(values, certificates.upstreams)
  return {
    settings: compileSettings(values, certificates.server, directoryOf),
    rules: previous?.rules.hash === rules.hash ? previous.rules : rules,
    directory: compileDirectory(values, previous?.directory ?? null),
    files,
    patterns: read.patterns,
    fingerprint: await fingerprint({ files, patterns: read.patterns }),
    source: 'file' in from ? from.file : from.name,
    tree: read.tree,
    secrets: read.secrets,
  }
}

function check(read: ReadFiles): ConfigurationValues {
  const { tree, secrets } = read
  const show = (value: unknown, path: Path) =>
    secrets.has(JSON.stringify(path)) || path.at(-1) === 'apiKey'
      ? 'what was read there (not shown)'
      : shown(value)
  // Without a first file that can be read, everything would be missing.
  if (!isMap(read.sources[0]?.value)) refuse(read.problems, read)
  const { values, problems } = validate(tree, show)
  const found = [...read.problems, ...problems, ...checkServers(tree)]
  // A file that could not be read would make everything it defines look missing.
  if (read.faults.length === 0) found.push(...checkReferences(tree, show))
  refuse(found, read)
  if (values === null) throw new ConfigurationError(read.faults, read.files)
  return values
}

/** Nobody reads more, and finding where they stand takes time. */
const maxPlaced = 1_000

function refuse(
  problems: readonly Problem[],
  { faults, files, sources }: Pick<ReadFiles, 'faults' | 'files' | 'sources'>,
): void {
  if (problems.length === 0 && faults.length === 0) return
  const distinct = onePerPlace(problems)
  const placed = placeProblems(distinct.slice(0, maxPlaced), sources)
  const all = [...faults, ...placed].sort(
    (a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column,
  )
  const left = distinct.length - placed.length
  const last = all.at(-1)
  if (left > 0 && last !== undefined) all.push({ ...last, message: `and ${left} more faults` })
  throw new ConfigurationError(all, files)
}

/** What could not be read is not also of the wrong type: the first problem of a value counts. */
function onePerPlace(problems: readonly Problem[]): readonly Problem[] {
  const unread = new Set<string>()
  return problems.filter(({ path, at, file }) => {
    const place = JSON.stringify(path)
    if (file === undefined) return !unread.has(place)
    if (at === 'value') unread.add(place)
    return true
  })
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

const longestShown = 60

function shown(value: unknown): string {
  if (value === null) return 'nothing (null)'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (typeof value === 'number') return `the number ${value}`
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > longestShown ? `${text.slice(0, longestShown)}…"` : text
}

function compileDirectory(
  values: ConfigurationValues,
  previous: DirectoryImage | null,
): DirectoryImage {
  const packed = packDirectory(keysOf(values), (previous?.revision ?? 0) + 1)
  return previous !== null && hasSameContent(previous, packed) ? previous : packed
}

function* keysOf({ tenants }: ConfigurationValues): Generator<DirectoryEntry> {
  for (const [tenant, { apps }] of Object.entries(tenants)) {
    for (const [app, { team = null, roles, keys }] of Object.entries(apps)) {
      for (const { sha256, expires = null } of keys) {
        yield { digest: sha256, expires, tenant, team, app, roles }
      }
    }
  }
}
