import { join } from 'node:path'
import { bare } from '../candidates/bare.ts'
import { type Candidate, serverCandidate } from '../candidates/candidate.ts'
import { fixed, timesWithSpread } from '../format.ts'
import { pairRequests } from '../pairs.ts'
import { start } from '../processes.ts'
import type { Row } from '../row.ts'

const program = join(import.meta.dirname, '..', 'steps', 'step-proxy.ts')

/** What the product must do for every request, one on top of the other. */
const steps = [
  'digest of the key, UUIDv7, decision header',
  '+ headers by allow-list and deny-list',
  '+ request parsed, model put in its place',
  '+ answer parsed for its usage',
  '+ record as a line in a ring, drained by a thread',
]

/** What each step adds to the bare proxy: the product itself has no switches to turn them off. */
export const stepRows: readonly Row[] = steps.map((title, index) => ({
  id: `step-${index + 1}`,
  title: `Bare with: ${title}`,
  async measure(bench) {
    const result = await pairRequests(bench, { candidate: withSteps(index + 1), yardstick: bare })
    const added = (result.ratio.median - 1) * result.yardstickMicros
    return {
      cells: {
        step: title,
        'beside bare': timesWithSpread(result.ratio),
        'all steps so far, µs': fixed(added),
      },
      figures: result,
    }
  },
}))

function withSteps(count: number): Candidate {
  return serverCandidate(`bare with ${count} steps`, (bench, { port, upstream, cores }) =>
    Promise.resolve({
      running: start({
        command: process.execPath,
        args: [program, `${port}`, upstream.origin, `${count}`, bench.folder],
        cores,
      }),
      headers: { authorization: 'Bearer sk-sluice-benchmark-0123456789abcdef' },
    }),
  )
}
