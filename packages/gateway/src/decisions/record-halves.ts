import type { DecisionRecord, Outcome, Principal, StepVerdict, Usage } from '../exchange.ts'

/** What the two lines of a record say once they are read: the codec reads them, rendering tells them. */

export interface DecidedHead {
  readonly id: string
  readonly startedAt: number
  readonly verdict: StepVerdict
  readonly code: string | null
  readonly protocol: string | null
}

export interface ClosedHead {
  readonly id: string
  readonly verdict: StepVerdict
  readonly code: string | null
  readonly protocol: string | null
  readonly outcome: Outcome
  /** Null when the end was lost. */
  readonly timing: ClosedTiming | null
  readonly usage: Usage | null
}

export interface ClosedTiming {
  readonly gatewayMicros: number
  readonly upstreamFirstByteMs: number | null
  readonly totalMs: number
}

export interface Decided extends DecidedHead {
  readonly snapshot: string
  readonly directory: number
  readonly principal: Principal | null
  readonly endpoint: string | null
  readonly model: string | null
  readonly stream: boolean | null
  readonly ip: string
  readonly requestBytes: number
  readonly traceId: string | null
  readonly tls: DecisionRecord['tls']
  readonly steps: DecisionRecord['steps']
  readonly target: string | null
  readonly targetWhy: string | null
}

export interface Closed extends ClosedHead {
  /** Null when the end was lost. */
  readonly answer: Pick<
    DecisionRecord,
    'attempts' | 'mode' | 'finish' | 'answeredModel' | 'status' | 'responseBytes' | 'parsed'
  > | null
}
