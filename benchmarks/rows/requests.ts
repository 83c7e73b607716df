import { bare } from '../candidates/bare.ts'
import { nginx } from '../candidates/nginx.ts'
import { portkeyOnNode20, portkeyOnNode24 } from '../candidates/portkey.ts'
import { sluice } from '../candidates/sluice.ts'
import { fixed, times, timesWithSpread, whole } from '../format.ts'
import { type Pair, pairRequests } from '../pairs.ts'
import type { Measured, Row } from '../row.ts'

/** CPU per JSON request, in pairs. */
export const requestRows: readonly Row[] = [
  row('bare-json', { candidate: bare, yardstick: bare }),
  row('nginx-json', { candidate: nginx, yardstick: bare }),
  row('sluice-json', { candidate: sluice, yardstick: bare }, atMost(1.5)),
  row('portkey20-json', { candidate: portkeyOnNode20, yardstick: bare }),
  row('portkey24-json', { candidate: portkeyOnNode24, yardstick: bare }),
  row('portkey20-sluice', { candidate: portkeyOnNode20, yardstick: sluice }, atLeast(10)),
  row('portkey24-sluice', { candidate: portkeyOnNode24, yardstick: sluice }, atLeast(9)),
]

export interface Goal {
  readonly text: string
  readonly isReached: (ratio: number) => boolean
}

export function atMost(limit: number): Goal {
  return { text: `≤ ${limit} ×`, isReached: (ratio) => ratio <= limit }
}

function atLeast(limit: number): Goal {
  return { text: `≥ ${limit} ×`, isReached: (ratio) => ratio >= limit }
}

/** The row's part that says whether a ratio reached its goal. */
export function verdictOn(ratio: number, goal: Goal | undefined): Pick<Measured, 'verdict'> {
  if (goal === undefined) return {}
  return { verdict: { figure: times(ratio), reached: goal.isReached(ratio) } }
}

function row(id: string, pair: Pair, goal?: Goal): Row {
  return {
    id,
    title: `CPU per request: ${pair.candidate.name}, beside ${pair.yardstick.name}`,
    ...(goal === undefined ? {} : { goal: goal.text }),
    async measure(bench) {
      const result = await pairRequests(bench, pair)
      const { ratio, candidateMicros, yardstickMicros, alone, errors } = result
      return {
        cells: {
          candidate: result.candidate,
          beside: result.yardstick,
          'CPU per request': timesWithSpread(ratio),
          'µs, beside µs': `${fixed(candidateMicros)}, ${fixed(yardstickMicros)}`,
          'alone: requests/s': whole(alone.requestsPerSecond),
          'p50 ms': fixed(alone.p50Ms, 2),
          'p99 ms': fixed(alone.p99Ms, 2),
          errors: whole(errors),
        },
        figures: result,
        ...verdictOn(ratio.median, goal),
      }
    },
  }
}
