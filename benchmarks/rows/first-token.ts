import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { bare } from '../candidates/bare.ts'
import type { Candidate } from '../candidates/candidate.ts'
import { nginx } from '../candidates/nginx.ts'
import { sluice } from '../candidates/sluice.ts'
import { fixed } from '../format.ts'
import { streamEnvironment } from '../load/stream-load.ts'
import { chatPath } from '../load/requests.ts'
import { run } from '../processes.ts'
import type { Row } from '../row.ts'
import { median, percentile } from '../statistics.ts'
import { startStreamUpstream } from '../upstream/upstream.ts'

const limitMs = 1
const program = join(import.meta.dirname, '..', 'load', 'first-token.ts')

/** What a proxy adds to the time until the first event, beside the upstream asked directly. */
export const firstTokenRows: readonly Row[] = [
  row('bare-first-token', bare),
  row('nginx-first-token', nginx),
  { ...row('sluice-first-token', sluice), goal: '< 1 ms' },
]

function row(id: string, candidate: Candidate): Row {
  return {
    id,
    title: `Added time to first token: ${candidate.name}`,
    async measure(bench) {
      const { through, direct } = await measure(bench, candidate)
      const added = through.p50 - direct.p50
      return {
        cells: {
          candidate: candidate.name,
          'added at the median, ms': fixed(added, 2),
          'p50, p99 through it, ms': both(through),
          'p50, p99 direct, ms': both(direct),
        },
        figures: { added, through, direct },
        verdict: { figure: `${fixed(added, 2)} ms`, reached: added < limitMs },
      }
    },
  }
}

async function measure(
  bench: Bench,
  candidate: Candidate,
): Promise<{ through: Percentiles; direct: Percentiles }> {
  const upstream = await startStreamUpstream(bench, { events: 3, intervalMs: 2 })
  const started = await candidate.start(bench, { upstream, workers: 1, cores: bench.cores.proxy })
  const rounds = bench.settings.quick ? 50 : 1000
  const output = await run(
    {
      command: process.execPath,
      args: [program, `${rounds}`, started.url, upstream.origin + chatPath],
      cores: bench.cores.load,
      env: streamEnvironment(started),
    },
    120,
  )
  const [through = [], direct = []] = JSON.parse(output.replace(/^[^]*BENCH /, '')) as number[][]
  return { through: percentiles(through), direct: percentiles(direct) }
}

interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

function percentiles(values: readonly number[]): Percentiles {
  const at = (share: number): number => percentile(values, share)
  return { p50: median(values), p90: at(0.9), p99: at(0.99) }
}

function both({ p50, p99 }: Percentiles): string {
  return `${fixed(p50, 2)}, ${fixed(p99, 2)}`
}
