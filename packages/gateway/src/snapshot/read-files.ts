import { glob, readFile, stat } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { Fault, Path, Problem } from './fault.ts'
import { mergeFiles } from './merge-files.ts'
import { resolveReferences } from './resolve-references.ts'
import type { SourceFile, SourceText } from './source-file.ts'
import { parseSource } from './source-file.ts'
import { depthOf, isMap } from './tree.ts'

export type ConfigurationSource =
  | { readonly file: string }
  | { readonly text: string; readonly name: string; readonly baseDirectory: string }

/** A glob, and the folder where it starts. */
export interface IncludePattern {
  readonly directory: string
  readonly pattern: string
}

/** Everything that the files say, merged, and where each part of it stands. */
export interface ReadFiles {
  readonly tree: unknown
  readonly sources: readonly SourceFile[]
  /** Paths, as `JSON.stringify` writes them, whose values came from outside and are never shown. */
  readonly secrets: ReadonlySet<string>
  /** Absolute, with the files that `{ file: … }` names. */
  readonly files: readonly string[]
  /** What `include` asked for. */
  readonly patterns: readonly IncludePattern[]
  readonly faults: readonly Fault[]
  readonly problems: readonly Problem[]
}

const maxFileBytes = 256 * 1024 * 1024
const maxReferencedBytes = 1024 * 1024

export async function readFiles(
  from: ConfigurationSource,
  environment: NodeJS.ProcessEnv,
): Promise<ReadFiles> {
  const reader = new Reader(environment)
  await reader.readFirst(from)
  const { tree, problems } = mergeFiles(reader.sources)
  return {
    tree,
    sources: reader.sources,
    secrets: reader.secrets,
    files: [...reader.files],
    patterns: reader.patterns,
    faults: reader.faults,
    problems: [...reader.problems, ...problems],
  }
}

/** The source that holds most of the path; the first one if none does. */
export function sourceOf(sources: readonly SourceFile[], path: Path): SourceFile | undefined {
  let best = sources[0]
  let bestDepth = 0
  for (const source of sources) {
    const depth = depthOf(source.value, path)
    if (depth <= bestDepth) continue
    best = source
    bestDepth = depth
  }
  return best
}

class Reader {
  readonly sources: SourceFile[] = []
  readonly secrets = new Set<string>()
  readonly files = new Set<string>()
  readonly patterns: IncludePattern[] = []
  readonly faults: Fault[] = []
  readonly problems: Problem[] = []
  readonly #environment: NodeJS.ProcessEnv

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment
  }

  async readFirst(from: ConfigurationSource): Promise<void> {
    if ('text' in from) {
      const path = resolve(
        from.baseDirectory,
        from.name.endsWith('.json') ? 'text.json' : 'text.yaml',
      )
      await this.#add({ name: from.name, path, text: from.text })
      return
    }
    const path = resolve(from.file)
    this.files.add(path)
    const text = await this.#readText(path)
    if (typeof text === 'string') await this.#add({ name: from.file, path, text })
    else this.faults.push({ file: from.file, line: 1, column: 1, path: '', message: text.message })
  }

  async #add(text: SourceText): Promise<void> {
    const parsed = parseSource(text)
    this.faults.push(...parsed.faults)
    const { value, secrets, problems } = resolveReferences(parsed.value, {
      environment: this.#environment,
      readFile: (path) => this.#readReferenced(resolve(parsed.directory, path)),
    })
    const source = { ...parsed, value }
    this.sources.push(source)
    for (const path of secrets) this.secrets.add(JSON.stringify(path))
    for (const problem of problems) this.problems.push({ ...problem, file: source.name })
    if (!isMap(value) && parsed.faults.length === 0) this.#refuseRoot(source)
    await this.#include(source)
  }

  #refuseRoot(source: SourceFile): void {
    const message = 'the file must hold a map of members such as `version: 1`'
    this.problems.push({ path: [], at: 'value', file: source.name, message })
  }

  async #include(source: SourceFile): Promise<void> {
    const include = isMap(source.value) ? source.value['include'] : undefined
    if (!Array.isArray(include)) return
    for (const [index, pattern] of include.entries()) {
      if (typeof pattern !== 'string') continue
      const problem = await this.#includePattern(source, pattern)
      if (problem === null) continue
      this.problems.push({
        path: ['include', index],
        at: 'value',
        file: source.name,
        message: problem,
      })
    }
  }

  /** Reads what the glob matches and was not yet read; gives what is wrong with it, or null. */
  async #includePattern(source: SourceFile, pattern: string): Promise<string | null> {
    const asked = { directory: source.directory, pattern }
    this.patterns.push(asked)
    const paths = await matchingFiles(asked)
    if (paths.length === 0 && !/[*?[{]/.test(pattern)) {
      this.files.add(resolve(source.directory, pattern))
      return `cannot read the file \`${pattern}\`: there is no such file`
    }
    for (const path of paths) {
      if (this.files.has(path)) continue
      this.files.add(path)
      const text = await this.#readText(path)
      const name = join(dirname(source.name), relative(source.directory, path))
      if (typeof text !== 'string') return `cannot read the file \`${name}\`: ${text.message}`
      await this.#add({ name, path, text })
    }
    return null
  }

  async #readText(path: string): Promise<string | Error> {
    try {
      const { size } = await stat(path)
      if (size > maxFileBytes) return new Error(`it is larger than ${maxFileBytes} bytes`)
      return decode(await readFile(path))
    } catch (error) {
      return new Error(reasonOf(error), { cause: error })
    }
  }

  #readReferenced(path: string): string | null {
    this.files.add(path)
    try {
      const bytes = readFileSync(path)
      return bytes.length > maxReferencedBytes ? null : decode(bytes)
    } catch {
      return null
    }
  }
}

/** Files that match, in a fixed order. */
export async function matchingFiles(asked: IncludePattern): Promise<readonly string[]> {
  const paths: string[] = []
  for await (const entry of glob(asked.pattern, { cwd: asked.directory, withFileTypes: true })) {
    const path = resolve(asked.directory, entry.parentPath, entry.name)
    if (!entry.isDirectory()) paths.push(path)
  }
  return paths.sort()
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new Error('it is not UTF-8', { cause: error })
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a folder'
  return error.message
}
