import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { bare } from '../candidates/bare.ts'
import type { Candidate } from '../candidates/candidate.ts'
import { nginx } from '../candidates/nginx.ts'
import { sluice } from '../candidates/sluice.ts'
import { fixed, whole } from '../format.ts'
import { loadStreams } from '../load/stream-load.ts'
import { cpuMicros, rssMb } from '../measure.ts'
import type { Row } from '../row.ts'
import { startStreamUpstream } from '../upstream/upstream.ts'

const open = 1000
const intervalMs = 200
const stallMs = 3000

/** A thousand streams at once: does every one go on, and what do they cost in memory? */
export const openStreamRows: readonly Row[] = [
  row('bare-open-streams', bare),
  row('nginx-open-streams', nginx),
  { ...row('sluice-open-streams', sluice), goal: `no silence of ${whole(stallMs)} ms` },
]

function row(id: string, candidate: Candidate): Row {
  return {
    id,
    title: `${whole(open)} open streams: ${candidate.name}`,
    async measure(bench) {
      const figures = await measure(bench, candidate)
      const { rssIdleMb, rssOpenMb, longestGapMs, errors, begun } = figures
      const reached = longestGapMs < stallMs && errors === 0 && begun >= open
      return {
        cells: {
          candidate: candidate.name,
          'RSS idle, MB': whole(rssIdleMb),
          [`RSS with ${whole(open)} streams, MB`]: whole(rssOpenMb),
          'KB per stream': whole(((rssOpenMb - rssIdleMb) * 1024) / open),
          'longest silence of a stream, ms': whole(longestGapMs),
          'events/s': whole(figures.eventsPerSecond),
          'CPU, % of a core': fixed(figures.cpuPercent, 0),
          errors: whole(errors),
        },
        figures,
        verdict: { figure: `longest ${whole(longestGapMs)} ms`, reached },
      }
    },
  }
}

interface OpenStreams {
  readonly rssIdleMb: number
  readonly rssOpenMb: number
  readonly longestGapMs: number
  readonly errors: number
  readonly begun: number
  readonly eventsPerSecond: number
  readonly cpuPercent: number
}

async function measure(bench: Bench, candidate: Candidate): Promise<OpenStreams> {
  const upstream = await startStreamUpstream(bench, { events: 10_000, intervalMs })
  const started = await candidate.start(bench, { upstream, workers: 1, cores: bench.cores.proxy })
  const rssIdleMb = rssMb(started.pid)
  const load = loadStreams(bench, started, open)
  await sleep(open * 4 + 3000) // they are opened over 4 s
  const before = await load.counts()
  const cpuBefore = cpuMicros(started.pid)
  const seconds = bench.settings.quick ? 4 : 20
  await sleep(seconds * 1000)
  const after = await load.counts()
  const cpu = cpuMicros(started.pid) - cpuBefore
  const rssOpenMb = rssMb(started.pid)
  return {
    rssIdleMb,
    rssOpenMb,
    longestGapMs: after.longestGapMs,
    errors: after.errors,
    begun: after.begun,
    eventsPerSecond: (after.events - before.events) / seconds,
    cpuPercent: cpu / seconds / 1e4,
  }
}
