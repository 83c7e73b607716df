import type { ErrorCode } from './errors.ts'

/** A wire format that clients or upstreams speak. */
export type Protocol = 'openai-chat' | 'anthropic-messages'

/** What a caller wants to use, as `roles.*.allow[].endpoints` names it. */
export type Endpoint = 'chat.completions' | 'messages' | 'models'

/** Who is calling: an app of a tenant, known by its key. */
export interface Principal {
  readonly kind: 'app'
  readonly tenant: string
  readonly team: string | null
  readonly app: string
  /** `key_` and the first 12 hex digits of the key's digest. */
  readonly key: string
  readonly roles: readonly string[]
}

// ── Rules: what the configuration compiles to ────────────────────────────────────────────────

/** The compiled rules: plain data, immutable, handed to every worker whole, named by their hash. */
export interface Rules {
  /** `sha256:` and 64 hex digits over everything below. */
  readonly hash: string
  readonly limits: RequestLimits
  readonly timeouts: ServerTimeouts
  readonly providers: Readonly<Record<string, ProviderRule>>
  readonly models: Readonly<Record<string, ModelRule>>
  readonly roles: Readonly<Record<string, RoleRule>>
}

/** Sizes in bytes; the last three are for the whole process. */
export interface RequestLimits {
  readonly requestBody: number
  readonly responseBuffer: number
  readonly upload: number
  readonly headers: number
  readonly connections: number
  readonly exchanges: number
  readonly bytesInFlight: number
}

/** Milliseconds. */
export interface ServerTimeouts {
  readonly headers: number
  readonly body: number
  readonly keepAlive: number
  readonly hold: number
}

export type ProviderType = 'openai' | 'openai-compatible' | 'anthropic' | 'simulator'

export interface ProviderRule {
  readonly name: string
  readonly type: ProviderType
  /** Without a trailing slash. For `simulator` it is filled in at start, when the simulator has a port. */
  readonly baseUrl: string | null
  readonly apiKey: string | null
  /** Milliseconds; null means no limit. */
  readonly timeouts: {
    readonly connect: number
    readonly firstToken: number
    readonly idle: number
    readonly total: number | null
  }
  readonly tls: UpstreamTls | null
  /** Connections to this upstream, for each worker. */
  readonly maxConnections: number
}

/** PEM texts, read when the configuration was loaded. */
export interface UpstreamTls {
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3' | null
}

export interface ModelRule {
  readonly targets: readonly { readonly provider: string; readonly model: string }[]
}

export interface RoleRule {
  readonly allow: readonly AllowRule[]
}

/** Globs. `endpoints: null` does not restrict; an empty list allows none. */
export interface AllowRule {
  readonly models: readonly string[]
  readonly endpoints: readonly string[] | null
}

// ── The decision record ──────────────────────────────────────────────────────────────────────

export type Stage = 'authenticate' | 'admit' | 'read' | 'authorize' | 'route'
export type StepVerdict = 'allow' | 'deny'
export type Outcome = 'completed' | 'denied' | 'failed' | 'cancelled' | 'lost'

export interface Step {
  readonly stage: Stage
  readonly by: string
  readonly verdict: StepVerdict
  readonly why: string | null
  readonly micros: number
}

/** One call of an upstream. */
export interface Attempt {
  /** `provider/model` */
  readonly target: string
  /** Null: it never answered with one. */
  status: number | null
  firstByteMs: number | null
  /** What went wrong, in a word such as `connect` or `reset`. */
  error: string | null
}

/** Token counts in disjoint classes; what the provider did not say is 0. */
export interface Usage {
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly output: number
  readonly reasoning: number
  readonly source: 'provider'
}

/**
 * What happened to one exchange. Steps write into it as they go; the recorder's codec renders it
 * as the JSON of docs/reference/decision-record.md. Two moments are written: `decided` (before the
 * upstream is called) holds everything above the line, `closed` (once) everything below it.
 */
export interface DecisionRecord {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** Of the rules that decided. */
  snapshot: string
  readonly directory: number
  principal: Principal | null
  protocol: Protocol | null
  endpoint: Endpoint | null
  model: string | null
  stream: boolean | null
  readonly ip: string
  requestBytes: number
  traceId: string | null
  tls: { readonly version: string; readonly cipher: string } | null
  readonly steps: Step[]
  /** `provider/model`, or null when none was chosen. */
  target: string | null
  targetWhy: string | null
  // ─────────────────────────────────────
  verdict: 'allow' | 'deny'
  code: ErrorCode | null
  readonly attempts: Attempt[]
  mode: 'stream' | 'json' | null
  finish: string | null
  answeredModel: string | null
  /** What the client was told; null when nothing was. */
  status: number | null
  responseBytes: number
  parsed: boolean | null
  usage: Usage | null
  gatewayMicros: number
  upstreamFirstByteMs: number | null
  totalMs: number
  outcome: Outcome
}
