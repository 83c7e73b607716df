import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from './bench.ts'
import type { Candidate, Started } from './candidates/candidate.ts'
import { type JsonLoad, loadJson } from './load/json-load.ts'
import { loadStreams, type StreamLoad } from './load/stream-load.ts'
import type { StreamCounts } from './load/stream-client.ts'
import { cpuMicros } from './measure.ts'
import { median, type Spread, spread } from './statistics.ts'
import { startJsonUpstream, startStreamUpstream, type Upstream } from './upstream/upstream.ts'

export interface Pair {
  readonly candidate: Candidate
  readonly yardstick: Candidate
}

/** What one of the two spent and did in one window. */
interface Share {
  readonly cpuMicros: number
  /** Requests answered, or events that arrived. */
  readonly done: number
  readonly errors: number
  readonly microsEach: number
}

interface PairedWindow {
  readonly candidate: Share
  readonly yardstick: Share
  readonly ratio: number
}

export interface PairResult {
  readonly candidate: string
  readonly yardstick: string
  readonly ratio: Spread
  readonly candidateMicros: number
  readonly yardstickMicros: number
  readonly errors: number
  readonly windows: readonly PairedWindow[]
}

/** The candidate by itself on the core: what a pair cannot say. */
export interface Alone {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const connections = 16
const streams = { open: 50, events: 200, intervalMs: 10 }

/** CPU per request: both on one core, in the same windows, under the same load. */
export async function pairRequests(
  bench: Bench,
  pair: Pair,
): Promise<PairResult & { alone: Alone }> {
  const upstream = await startJsonUpstream(bench, bench.cores.load)
  const both = await startBoth(bench, pair, upstream)
  const load: Load = (target, seconds) =>
    loadJson(bench, target, { seconds, connections, threads: 1, cores: bench.cores.load })

  for (const target of [both.candidate, both.yardstick]) await warmUp(bench, target, load)
  const windows: PairedWindow[] = []
  for (let index = 0; index < bench.settings.windows; index += 1) {
    windows.push(
      await window(both, async () => {
        const counted = await Promise.all([
          load(both.candidate, bench.settings.seconds),
          load(both.yardstick, bench.settings.seconds),
        ])
        await sleep(300) // work that was put off until after the answer counts too
        return counted.map(({ requests, errors }) => ({ done: requests, errors }))
      }),
    )
  }
  const alone: JsonLoad[] = []
  for (let index = 0; index < Math.ceil(windows.length / 5); index += 1) {
    alone.push(await load(both.candidate, bench.settings.seconds))
  }
  return { ...summarize(pair, windows), alone: summarizeAlone(alone) }
}

/** CPU per event of a stream: as above, with streams whose events travel one by one. */
export async function pairStreams(
  bench: Bench,
  pair: Pair,
): Promise<PairResult & { eventsPerPacket: number }> {
  const upstream = await startStreamUpstream(bench, streams)
  const both = await startBoth(bench, pair, upstream)
  const candidate = loadStreams(bench, both.candidate, streams.open)
  const yardstick = loadStreams(bench, both.yardstick, streams.open)

  await sleep(bench.settings.warmUpSeconds * 1000 + 500)
  const windows: PairedWindow[] = []
  let before = await countBoth(candidate, yardstick)
  const begin = before
  for (let index = 0; index < bench.settings.windows; index += 1) {
    windows.push(
      await window(both, async () => {
        await sleep(bench.settings.seconds * 1000)
        const after = await countBoth(candidate, yardstick)
        const counted = after.map((counts, which) => since(counts, before[which]))
        before = after
        return counted
      }),
    )
  }
  const [first, last] = [begin[0], before[0]]
  const packets = (last?.packets ?? 0) - (first?.packets ?? 0)
  const eventsPerPacket = ((last?.events ?? 0) - (first?.events ?? 0)) / packets
  return { ...summarize(pair, windows), eventsPerPacket }
}

type Load = (target: Started, seconds: number) => Promise<JsonLoad>

interface Both {
  readonly candidate: Started
  readonly yardstick: Started
}

async function startBoth(bench: Bench, pair: Pair, upstream: Upstream): Promise<Both> {
  const options = { upstream, workers: 1, cores: bench.cores.proxy }
  return {
    candidate: await pair.candidate.start(bench, options),
    yardstick: await pair.yardstick.start(bench, options),
  }
}

/** Loads both once, by the function that counts what each has done, candidate first. */
async function window(
  { candidate, yardstick }: Both,
  load: () => Promise<{ done: number; errors: number }[]>,
): Promise<PairedWindow> {
  const before = [cpuMicros(candidate.pid), cpuMicros(yardstick.pid)] as const
  const [left, right] = await load()
  const after = [cpuMicros(candidate.pid), cpuMicros(yardstick.pid)] as const
  const shares = {
    candidate: share(after[0] - before[0], left),
    yardstick: share(after[1] - before[1], right),
  }
  return { ...shares, ratio: shares.candidate.microsEach / shares.yardstick.microsEach }
}

function share(micros: number, counted: { done: number; errors: number } | undefined): Share {
  const { done = 0, errors = 0 } = counted ?? {}
  if (errors > done / 100) throw new Error(`${errors} errors beside ${done} answers in one window.`)
  return { cpuMicros: micros, done, errors, microsEach: micros / done }
}

function summarize({ candidate, yardstick }: Pair, windows: readonly PairedWindow[]): PairResult {
  return {
    candidate: candidate.name,
    yardstick: yardstick.name,
    ratio: spread(windows.map(({ ratio }) => ratio)),
    candidateMicros: median(windows.map(({ candidate }) => candidate.microsEach)),
    yardstickMicros: median(windows.map(({ yardstick }) => yardstick.microsEach)),
    errors: windows.reduce((sum, each) => sum + each.candidate.errors + each.yardstick.errors, 0),
    windows,
  }
}

function summarizeAlone(loads: readonly JsonLoad[]): Alone {
  return {
    requestsPerSecond: median(loads.map(({ requests, micros }) => requests / (micros / 1e6))),
    p50Ms: median(loads.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(loads.map(({ p99Ms }) => p99Ms)),
  }
}

function countBoth(candidate: StreamLoad, yardstick: StreamLoad): Promise<StreamCounts[]> {
  return Promise.all([candidate.counts(), yardstick.counts()])
}

function since(
  now: StreamCounts,
  before: StreamCounts | undefined,
): { done: number; errors: number } {
  return { done: now.events - (before?.events ?? 0), errors: now.errors - (before?.errors ?? 0) }
}

/**
 * Loads until CPU per request has not fallen for two rounds: compiled code comes late, on Portkey
 * with Node 20 after 10 s, and threads that compile are counted too.
 */
async function warmUp(bench: Bench, target: Started, load: Load): Promise<void> {
  const { warmUpSeconds, quick } = bench.settings
  let least = Number.POSITIVE_INFINITY
  let roundsSince = 0
  for (let round = 0; round < (quick ? 4 : 15) && roundsSince < 2; round += 1) {
    const before = cpuMicros(target.pid)
    const { requests } = await load(target, warmUpSeconds)
    const each = (cpuMicros(target.pid) - before) / requests
    roundsSince = each < least * 0.97 ? 0 : roundsSince + 1
    least = Math.min(least, each)
  }
}
