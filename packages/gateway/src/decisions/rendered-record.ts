import type { Attempt, Outcome, Stage, StepVerdict, Usage } from '../exchange.ts'

/**
 * A decision record as people and programs read it: the JSON of docs/reference/decision-record.md.
 * Fields that nothing fills yet are null, so that a reader can rely on every name from the start.
 */
export interface RenderedRecord {
  readonly schema: 1
  readonly id: string
  readonly parent: null
  readonly purpose: null
  readonly time: string
  readonly snapshot: string | null
  readonly directory: number | null
  readonly node: string | null
  readonly principal: RenderedPrincipal | null
  readonly request: RenderedRequest
  readonly verdict: StepVerdict
  readonly code: string | null
  readonly steps: readonly RenderedStep[]
  readonly route: RenderedRoute
  readonly translation: null
  /** Null while the exchange is open, and when its end was lost. */
  readonly response: RenderedResponse | null
  readonly usage: Usage | null
  readonly cost: { readonly amount: null; readonly currency: null; readonly known: false }
  readonly timing: RenderedTiming | null
  /** Null while the exchange is open. */
  readonly outcome: Outcome | null
}

export interface RenderedPrincipal {
  readonly kind: 'app'
  readonly tenant: string
  readonly team: string | null
  readonly app: string
  readonly key: string
  readonly roles: readonly string[]
  readonly authentication: {
    readonly by: 'key'
    readonly issuer: null
    readonly mfa: false
    readonly at: string
  }
}

export interface RenderedRequest {
  readonly protocol: string | null
  readonly endpoint: string | null
  readonly model: string | null
  readonly version: null
  readonly stream: boolean | null
  readonly ip: string | null
  readonly bytes: number | null
  readonly inputTokens: null
  readonly session: null
  readonly conversation: null
  readonly traceId: string | null
  readonly tags: null
  readonly tls: { readonly version: string; readonly cipher: string } | null
}

export interface RenderedStep {
  readonly stage: Stage
  readonly by: string
  readonly verdict: StepVerdict
  readonly why?: string
  readonly micros: number
}

export interface RenderedRoute {
  readonly chosen: string | null
  readonly why: string | null
  readonly residency: null
  readonly attempts: readonly Readonly<Attempt>[]
}

export interface RenderedResponse {
  readonly mode: 'stream' | 'json' | null
  readonly finish: string | null
  readonly status: number | null
  readonly bytes: number
  readonly parsed: boolean | null
  readonly model: string | null
}

export interface RenderedTiming {
  readonly gatewayMicros: number
  readonly upstreamFirstByteMs: number | null
  readonly totalMs: number
}
