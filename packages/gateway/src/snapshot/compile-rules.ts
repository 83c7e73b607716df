import type { ProviderRule, ProviderType, Rules, UpstreamTls } from '../exchange.ts'
import { hash } from 'node:crypto'
import type { ConfigurationValues } from './configuration-schema.ts'

/** PEM texts by provider, read when the configuration is loaded. */
export type UpstreamTlsTexts = ReadonlyMap<string, UpstreamTls>

const defaultBaseUrls: Readonly<Record<ProviderType, string | null>> = {
  openai: 'https://api.openai.com/v1',
  anthropic: 'https://api.anthropic.com',
  'openai-compatible': null,
  simulator: null,
}

/** Compiles what the configuration says into what the workers read. */
export function compileRules(values: ConfigurationValues, tls: UpstreamTlsTexts): Rules {
  const { limits, timeouts } = values.server
  const rules = {
    limits,
    timeouts,
    providers: mapValues(values.providers, (provider, name): ProviderRule => {
      const { total } = provider.timeouts
      return {
        name,
        type: provider.type,
        baseUrl: provider.baseUrl ?? defaultBaseUrls[provider.type],
        apiKey: provider.apiKey ?? null,
        timeouts: { ...provider.timeouts, total: total === 'none' ? null : total },
        tls: tls.get(name) ?? null,
        maxConnections: provider.maxConnections,
      }
    }),
    models: mapValues(values.models, ({ targets }) => ({ targets })),
    roles: mapValues(values.roles, ({ allow }) => ({
      allow: allow.map(({ models, endpoints }) => ({ models, endpoints: endpoints ?? null })),
    })),
  }
  return deepFreeze({ hash: hashOf(rules), ...rules })
}

/** SHA-256 of canonical JSON, in which every secret is replaced by its own SHA-256. */
function hashOf(rules: Omit<Rules, 'hash'>): string {
  const providers = mapValues(rules.providers, (provider) => ({
    ...provider,
    apiKey: hidden(provider.apiKey),
    tls: provider.tls === null ? null : { ...provider.tls, key: hidden(provider.tls.key) },
  }))
  return `sha256:${hash('sha256', canonicalJson({ ...rules, providers }))}`
}

function hidden(secret: string | null): string | null {
  return secret === null ? null : hash('sha256', secret)
}

/** JSON with the members of every map in one order, so that equal values give equal texts. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

function mapValues<From, To>(
  map: Readonly<Record<string, From>>,
  change: (value: From, name: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value, name)]))
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
