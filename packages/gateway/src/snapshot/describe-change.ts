import { execFile } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Difference } from './differences.ts'
import { findDifferences } from './differences.ts'
import type { Configuration } from './load-configuration.ts'

/** A configuration that came into force: what was different, and where it came from. */
export interface Change {
  /** RFC 3339. */
  readonly at: string
  readonly oldHash: string
  readonly newHash: string
  readonly oldDirectory: number
  readonly newDirectory: number
  readonly differences: readonly Difference[]
  /** How many more differences there are than are listed. */
  readonly more: number
  readonly file: string
  /** The commit that is checked out where the file is, or null. */
  readonly commit: string | null
  readonly actor: string
}

export interface ChangeContext {
  /** Who or what caused it, such as `SIGHUP` or `file`. */
  readonly actor: string
  readonly now?: () => Date
}

/** Describes what comes into force; it never holds a secret. */
export async function describeChange(
  before: Configuration,
  after: Configuration,
  { actor, now = () => new Date() }: ChangeContext,
): Promise<Change> {
  return {
    at: now().toISOString(),
    oldHash: before.rules.hash,
    newHash: after.rules.hash,
    oldDirectory: before.directory.revision,
    newDirectory: after.directory.revision,
    ...findDifferences(before, after),
    file: after.source,
    commit: after.files.length === 0 ? null : await commitOf(after.source),
    actor,
  }
}

const runFile = promisify(execFile)
const gitTimeout = 2_000

async function commitOf(file: string): Promise<string | null> {
  try {
    const { stdout } = await runFile('git', ['rev-parse', '--verify', 'HEAD'], {
      cwd: dirname(resolve(file)),
      timeout: gitTimeout,
      windowsHide: true,
    })
    return /^[0-9a-f]{40,64}$/.exec(stdout.trim())?.[0] ?? null
  } catch {
    // no git, no repository, or no commit yet
    return null
  }
}
