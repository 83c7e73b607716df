import type { Run } from '../store/decision-blocks.ts'
import type { DecisionLogOptions } from './decision-log.ts'

/** What can change while the recorder runs. */
export interface RecorderSettings {
  /** Milliseconds; null keeps records for ever. */
  readonly retention: number | null
  readonly log: DecisionLogOptions
}

export interface RecorderThreadOptions extends RecorderSettings {
  readonly file: string
  readonly rings: readonly SharedArrayBuffer[]
  readonly run: Run
  readonly queueBytes: number
}

/** Main asks; each request is answered once, with a text or with nothing. */
export type RecorderRequest = { readonly request: number } & (
  | { readonly kind: 'metrics' | 'flush' | 'close' }
  | { readonly kind: 'workerDied'; readonly index: number; readonly code: string | null }
  | { readonly kind: 'reconfigure'; readonly settings: RecorderSettings }
)

export type RecorderMessage =
  | { readonly kind: 'answer'; readonly request: number; readonly text: string }
  | { readonly kind: 'status'; readonly degraded: readonly string[] }
