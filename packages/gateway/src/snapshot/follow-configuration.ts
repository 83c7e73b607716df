import { userInfo } from 'node:os'
import type { Log } from '../log.ts'
import type { ConfigurationChanges } from '../store/configuration-changes.ts'
import { describeChange } from './describe-change.ts'
import { ConfigurationError } from './fault.ts'
import { loadConfiguration, type Configuration } from './load-configuration.ts'
import type { ConfigurationSource } from './read-files.ts'
import { createReloader } from './reloader.ts'
import { restartNeeded } from './settings.ts'
import { fingerprint, watchConfiguration } from './watch-configuration.ts'

export interface FollowOptions {
  /** What is in force when following begins. */
  readonly first: Configuration
  readonly source: ConfigurationSource
  readonly environment: NodeJS.ProcessEnv
  readonly log: Log
  readonly store: Pick<ConfigurationChanges, 'insert'>
  /** Brings a configuration into force. */
  apply(before: Configuration, after: Configuration): Promise<void>
}

export interface Follower {
  readonly current: () => Configuration
  reload(actor: string): Promise<void>
  close(): void
}

/** Keeps what is in force equal to the files, and tells log and store of every change. */
export async function followConfiguration(options: FollowOptions): Promise<Follower> {
  const { first, log } = options
  let current = first
  let lastLook = first.fingerprint
  await note(options, { before: null, after: first, actor: startedBy() })

  const reloader = createReloader<Configuration>({
    async load() {
      lastLook = await fingerprint(current)
      return loadConfiguration(options.source, options.environment, current)
    },
    fingerprint: () => fingerprint(current),
    async refused(error) {
      // The cure may be in a file that the running configuration does not know; and it may have
      // come while the faulty one was judged, which the next look must then take for a change.
      const read = error instanceof ConfigurationError ? error.files : []
      const watched = { files: [...current.files, ...read], patterns: current.patterns }
      const now = await fingerprint(watched)
      const isCured = (await fingerprint(current)) !== lastLook
      watch.watch({ ...watched, fingerprint: isCured ? 'changed' : now })
      const faults = error instanceof ConfigurationError ? error.faults : [error.message]
      log.error({ faults }, 'the configuration is refused; the running one stays in force')
    },
    async apply(after, actor) {
      const before = current
      current = after
      watch.watch(after)
      if (saysTheSame(before, after)) return
      await options.apply(before, after)
      await note(options, { before, after, actor })
    },
  })
  const watch = watchConfiguration({ ...first, onChange: () => void reloader.filesChanged() })

  return { current: () => current, reload: reloader.reload, close: () => watch.close() }
}

/** A comment was changed, say, or the same written differently. */
function saysTheSame(before: Configuration, after: Configuration): boolean {
  return (
    after.rules === before.rules &&
    after.directory === before.directory &&
    JSON.stringify(after.settings) === JSON.stringify(before.settings)
  )
}

async function note(
  { log, store }: FollowOptions,
  change: { before: Configuration | null; after: Configuration; actor: string },
): Promise<void> {
  const { before, after, actor } = change
  const described = await describeChange(before ?? after, after, { actor })
  const oldHash = before === null ? null : described.oldHash
  const restart = before === null ? [] : needsRestart(before, after)
  const { newHash, differences, more, file, commit } = described

  log.info({ oldHash, newHash, differences, more, file, commit, actor }, 'configuration in force')
  if (restart.length > 0) log.warn({ restart }, 'these changes come into force at the next start')
  try {
    store.insert({
      at: Date.parse(described.at),
      oldHash,
      newHash,
      differences: { differences, more, directory: described.newDirectory },
      file,
      gitCommit: commit,
      actor,
    })
  } catch (error) {
    log.error({ error: error instanceof Error ? error.message : null }, 'the change is not stored')
  }
}

/** The parser of requests has its limit from its birth; all other limits and time-outs are taken over. */
function needsRestart(before: Configuration, after: Configuration): readonly string[] {
  const headers = before.rules.limits.headers !== after.rules.limits.headers
  const others = restartNeeded(before.settings, after.settings)
  return headers ? [...others, 'server.limits.headers'] : others
}

function startedBy(): string {
  try {
    return `start by ${userInfo().username}`
  } catch {
    return 'start'
  }
}
