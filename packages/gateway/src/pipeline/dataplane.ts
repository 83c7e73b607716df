import type { RecordWriter } from '../decisions/record-writer.ts'
import type { GatewayError } from '../errors.ts'
import type { Rules } from '../exchange.ts'
import type { Deadlines, Timed } from '../lib/deadlines.ts'
import type { Directory } from '../snapshot/directory.ts'
import type { Bounds } from './bounds.ts'
import type { Models } from './compile-models.ts'
import type { Grants } from './grants.ts'
import type { Upstreams } from './upstreams.ts'

/**
 * All that an exchange may touch. `rules`, `grants`, `models`, `upstreams` and
 * `directory` are replaced whole when the configuration changes; an exchange takes the directory
 * that is there when it begins, and the rest when its body is complete.
 */
export interface Dataplane {
  rules: Rules
  grants: Grants
  models: Models
  upstreams: Upstreams
  directory: Directory
  readonly bounds: Bounds
  /** Watches every exchange that is open. */
  readonly deadlines: Deadlines<OpenExchange>
  readonly clock: Clock
  readonly recorder: RecordWriter
  /** Set while the process ends: every answer closes its connection. */
  draining: boolean
}

export interface OpenExchange extends Timed {
  /** Ends it early, telling its client why if that is still possible. */
  cancel(reason: GatewayError): void
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds that never run backwards. */
  elapsed(): number
}
