/** A decision record as `sluice explain --json` prints it: what the tests read of it. */
export interface Decision {
  readonly schema: number
  readonly id: string
  readonly time: string
  readonly snapshot: string | null
  readonly directory: number | null
  readonly principal: {
    readonly tenant: string
    readonly team: string | null
    readonly app: string
    readonly key: string
    readonly roles: readonly string[]
  } | null
  readonly request: {
    readonly protocol: string | null
    readonly endpoint: string | null
    readonly model: string | null
    readonly stream: boolean | null
    readonly ip: string | null
    readonly bytes: number | null
    readonly traceId: string | null
    readonly tls: { readonly version: string; readonly cipher: string } | null
  }
  readonly verdict: string
  readonly code: string | null
  readonly steps: readonly {
    readonly stage: string
    readonly by: string
    readonly verdict: string
    readonly why?: string
    readonly micros: number
  }[]
  readonly route: {
    readonly chosen: string | null
    readonly why: string | null
    readonly attempts: readonly {
      readonly target: string
      readonly status: number | null
      readonly firstByteMs: number | null
      readonly error: string | null
    }[]
  }
  readonly response: {
    readonly mode: string | null
    readonly finish: string | null
    readonly status: number | null
    readonly bytes: number
    readonly parsed: boolean | null
    readonly model: string | null
  } | null
  readonly usage: {
    readonly input: number
    readonly cacheRead: number
    readonly cacheWrite: number
    readonly output: number
    readonly reasoning: number
    readonly source: string
  } | null
  readonly timing: {
    readonly gatewayMicros: number
    readonly upstreamFirstByteMs: number | null
    readonly totalMs: number
  } | null
  readonly outcome: string | null
}
