import { resolve } from 'node:path'
import type { ConfigurationValues } from './configuration-schema.ts'
import type { Path } from './fault.ts'
import type { Address } from './value-types.ts'

/** What takes effect at start, and what only the main thread reads. */
export interface Settings {
  readonly listen: Address
  readonly admin: Address
  readonly workers: number | 'auto'
  readonly trustedProxies: readonly string[]
  readonly tls: ServerTls | null
  /** Milliseconds. */
  readonly shutdownGrace: number
  /** An absolute path. */
  readonly store: { readonly file: string }
  readonly decisions: {
    readonly payloads: 'none'
    /** Milliseconds. */
    readonly retention: number
    readonly log: { readonly what: 'off' | 'refusals' | 'all'; readonly file: string | null }
  }
  readonly logs: { readonly level: LogLevel }
}

type LogLevel = ConfigurationValues['telemetry']['logs']['level']

/** PEM texts. */
export interface ServerTls {
  readonly cert: string
  readonly key: string
  readonly clientCa: string | null
  readonly clientAuth: 'none' | 'request' | 'require'
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}

/** The folder of the file in which the path stands. */
export type DirectoryOf = (path: Path) => string

export function compileSettings(
  values: ConfigurationValues,
  tls: ServerTls | null,
  directoryOf: DirectoryOf,
): Settings {
  const { server, store, decisions, telemetry } = values
  const { log } = decisions
  const storeFile = store.url.slice('sqlite:'.length)
  return {
    listen: server.listen,
    admin: server.admin,
    workers: server.workers,
    trustedProxies: server.trustedProxies,
    tls,
    shutdownGrace: server.shutdownGrace,
    store: { file: resolve(directoryOf(['store', 'url']), storeFile) },
    decisions: {
      payloads: decisions.payloads,
      retention: decisions.retention,
      log:
        typeof log === 'string'
          ? { what: log, file: null }
          : { what: log.what, file: resolve(directoryOf(['decisions', 'log', 'file']), log.file) },
    },
    logs: telemetry.logs,
  }
}

/** The parts that differ and that a running gateway cannot take over. */
export function restartNeeded(before: Settings, after: Settings): readonly string[] {
  const parts = {
    'server.listen': (it: Settings) => it.listen,
    'server.admin': (it: Settings) => it.admin,
    'server.workers': (it: Settings) => it.workers,
    'server.trustedProxies': (it: Settings) => it.trustedProxies,
    'server.tls': (it: Settings) => it.tls,
    'server.shutdownGrace': (it: Settings) => it.shutdownGrace,
    'store.url': (it: Settings) => it.store.file,
  }
  return Object.entries(parts)
    .filter(([, read]) => JSON.stringify(read(before)) !== JSON.stringify(read(after)))
    .map(([path]) => path)
}
