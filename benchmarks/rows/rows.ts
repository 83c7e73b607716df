import type { Row } from '../row.ts'
import { firstTokenRows } from './first-token.ts'
import { memoryRows } from './memory.ts'
import { openStreamRows } from './open-streams.ts'
import { requestRows } from './requests.ts'
import { stepRows } from './steps.ts'
import { streamRows } from './streams.ts'
import { wholeMachineRow } from './whole-machine.ts'

export interface Table {
  readonly heading: string
  readonly rows: readonly Row[]
}

/** Everything that can be measured, in the order in which it is measured and shown. */
export const tables: readonly Table[] = [
  { heading: 'CPU per request', rows: requestRows },
  { heading: 'What each step adds', rows: stepRows },
  { heading: 'CPU per event of a stream', rows: streamRows },
  { heading: 'Added time to first token', rows: firstTokenRows },
  { heading: 'A thousand open streams', rows: openStreamRows },
  { heading: 'Memory', rows: memoryRows },
  { heading: 'The whole machine', rows: [wholeMachineRow] },
]
