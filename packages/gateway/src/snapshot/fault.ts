/** Members by name and elements by number, from the root of the configuration. */
export type Path = readonly (string | number)[]

/** One thing that is wrong, and where it stands. Lines and columns begin at 1. */
export interface Fault {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly path: string
  readonly message: string
}

/** Something wrong that is known by its path only; where it stands is looked up once, at the end. */
export interface Problem {
  readonly path: Path
  /** Point at the member's name or at its value. */
  readonly at: 'key' | 'value'
  /** `{other}` stands for the place of `other`. */
  readonly message: string
  /** The file, where it is known; else the one that holds most of the path. */
  readonly file?: string
  readonly other?: { readonly path: Path; readonly file?: string }
}

/** A refused configuration: every fault, not only the first. */
export class ConfigurationError extends Error {
  readonly faults: readonly Fault[]
  /** What was read, so that a watcher knows which files may hold the cure. */
  readonly files: readonly string[]

  constructor(faults: readonly Fault[], files: readonly string[] = []) {
    super(faults.map(formatFault).join('\n'))
    this.name = 'ConfigurationError'
    this.faults = faults
    this.files = files
  }
}

export function formatFault({ file, line, column, message }: Fault): string {
  return `${file}:${line}:${column}: ${message}`
}

/** `roles.support.allow[0].models`; a name that would be read wrongly is in quotes. */
export function formatPath(path: Path): string {
  let text = ''
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`
    else text += (text === '' ? '' : '.') + formatName(segment)
  }
  return text
}

function formatName(name: string): string {
  return /^[\w@/:*-]+$/.test(name) ? name : JSON.stringify(name)
}
