import { bare } from '../candidates/bare.ts'
import { nginx } from '../candidates/nginx.ts'
import { sluice } from '../candidates/sluice.ts'
import { fixed, timesWithSpread, whole } from '../format.ts'
import { type Pair, pairStreams } from '../pairs.ts'
import type { Row } from '../row.ts'
import { atMost, type Goal, verdictOn } from './requests.ts'

/** CPU per event of a stream, in pairs. */
export const streamRows: readonly Row[] = [
  row('bare-stream', { candidate: bare, yardstick: bare }),
  row('nginx-stream', { candidate: nginx, yardstick: bare }),
  row('sluice-stream', { candidate: sluice, yardstick: bare }, atMost(1.15)),
]

function row(id: string, pair: Pair, goal?: Goal): Row {
  return {
    id,
    title: `CPU per event: ${pair.candidate.name}, beside ${pair.yardstick.name}`,
    ...(goal === undefined ? {} : { goal: goal.text }),
    async measure(bench) {
      const result = await pairStreams(bench, pair)
      const { ratio, candidateMicros, yardstickMicros, eventsPerPacket, errors } = result
      return {
        cells: {
          candidate: result.candidate,
          beside: result.yardstick,
          'CPU per event': timesWithSpread(ratio),
          'µs, beside µs': `${fixed(candidateMicros)}, ${fixed(yardstickMicros)}`,
          'events per packet': fixed(eventsPerPacket, 2),
          errors: whole(errors),
        },
        figures: result,
        ...verdictOn(ratio.median, goal),
      }
    },
  }
}
