import { isDeepStrictEqual } from 'node:util'
import { Pool } from 'undici'
import type { Protocol, ProviderRule, Rules } from '../exchange.ts'
import { providers } from '../providers/index.ts'

/** One provider as it is called: its connections, and what every call of it has in common. */
export interface Upstream {
  readonly name: string
  readonly rule: ProviderRule
  readonly pool: Pool
  readonly paths: Readonly<Partial<Record<Protocol, string>>>
  /** Names and values in turn: credential and required headers. */
  readonly headers: readonly string[]
}

export type Upstreams = ReadonlyMap<string, Upstream>

/** Opens what the rules name. What has not changed keeps its connections; what is gone is closed. */
export function openUpstreams(rules: Rules, before: Upstreams = new Map()): Upstreams {
  const upstreams = new Map<string, Upstream>()
  for (const [name, rule] of Object.entries(rules.providers)) {
    const existing = before.get(name)
    const same = existing !== undefined && isDeepStrictEqual(existing.rule, rule)
    upstreams.set(name, same ? existing : openUpstream(name, rule))
  }
  for (const [name, upstream] of before) {
    // Exchanges in flight finish on the connections that they hold.
    if (upstreams.get(name) !== upstream) upstream.pool.close().catch(() => undefined)
  }
  return upstreams
}

function openUpstream(name: string, rule: ProviderRule): Upstream {
  const provider = providers[rule.type]
  const base = new URL(rule.baseUrl ?? 'http://127.0.0.1')
  const prefix = base.pathname.replace(/\/$/, '')
  const paths = Object.entries(provider.endpoints).map(([format, path]) => [format, prefix + path])
  return {
    name,
    rule,
    pool: openPool(base.origin, rule),
    paths: Object.fromEntries(paths) as Upstream['paths'],
    headers: provider.headers(rule.apiKey).flat(),
  }
}

function openPool(origin: string, { maxConnections, timeouts, tls }: ProviderRule): Pool {
  return new Pool(origin, {
    connections: maxConnections,
    pipelining: 1,
    allowH2: false,
    // Waits are limited by the exchange's own deadline, which knows what it is waiting for.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: timeouts.connect,
      ...(tls?.ca && { ca: tls.ca }),
      ...(tls?.cert && { cert: tls.cert }),
      ...(tls?.key && { key: tls.key }),
      ...(tls?.minVersion && { minVersion: tls.minVersion }),
    },
  })
}
