import type { Rules } from '../exchange.ts'
import type { BoundsTable } from '../pipeline/bounds.ts'
import type { ListenerOptions } from '../pipeline/listen.ts'
import type { DirectoryImage } from '../snapshot/directory.ts'

/** What a worker is born with. */
export interface WorkerStart {
  /** Its row of the bounds' table. */
  readonly row: number
  readonly bounds: BoundsTable
  readonly ring: SharedArrayBuffer
  readonly rules: Rules
  readonly directory: DirectoryImage
  readonly listener: ListenerOptions
  readonly address: {
    readonly host: string
    readonly port: number
    readonly reusePort: boolean
    readonly backlog: number
  }
}

export type ToWorker =
  /** Null: as it was. */
  | {
      readonly kind: 'configure'
      readonly change: number
      readonly rules: Rules | null
      readonly directory: DirectoryImage | null
    }
  | { readonly kind: 'drain'; readonly grace: number }

export type FromWorker =
  | { readonly kind: 'listening' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'configured'; readonly change: number }
  | { readonly kind: 'drained' }
