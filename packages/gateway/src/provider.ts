import type { Protocol, ProviderType } from './exchange.ts'

/** What an upstream is to the gateway. Pure: it names paths and headers, and does no I/O. */
export interface Provider {
  readonly type: ProviderType
  /** What it speaks, and where. `baseUrl` is what the provider's own SDK takes. */
  readonly endpoints: Readonly<Partial<Record<Protocol, string>>>
  /** Headers that carry the operator's credential, and those without which the provider refuses. */
  headers(apiKey: string | null): readonly (readonly [name: string, value: string])[]
}
