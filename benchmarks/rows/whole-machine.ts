import type { Bench } from '../bench.ts'
import { bare } from '../candidates/bare.ts'
import type { Candidate, Started } from '../candidates/candidate.ts'
import { nginx } from '../candidates/nginx.ts'
import { sluice } from '../candidates/sluice.ts'
import { timesWithSpread, whole } from '../format.ts'
import { loadJson } from '../load/json-load.ts'
import type { Row } from '../row.ts'
import { median, spread } from '../statistics.ts'
import { startJsonUpstream } from '../upstream/upstream.ts'

const connections = 64

/** Nothing pinned: load generator, proxy and upstream share all cores. Windows take turns. */
export const wholeMachineRow: Row = {
  id: 'whole-machine',
  title: 'Requests per second on the whole machine, load generator included',
  async measure(bench) {
    const candidates = { bare, sluice, ...(bench.tools.nginx ? { nginx } : {}) }
    const perSecond = await takeTurns(bench, candidates)
    const [yardstick = [], served = [], nginxServed] = Object.values(perSecond)
    const ratio = spread(served.map((value, index) => value / (yardstick[index] ?? Number.NaN)))
    return {
      cells: {
        'bare (one thread), requests/s': whole(median(yardstick)),
        'nginx, requests/s':
          nginxServed === undefined ? 'not installed' : whole(median(nginxServed)),
        'Sluice (workers: auto), requests/s': whole(median(served)),
        'Sluice beside bare': timesWithSpread(ratio),
      },
      figures: { perSecond, ratio },
    }
  },
}

async function takeTurns(
  bench: Bench,
  candidates: Readonly<Record<string, Candidate>>,
): Promise<Record<string, number[]>> {
  const upstream = await startJsonUpstream(bench)
  const started: [string, Started][] = []
  for (const [name, candidate] of Object.entries(candidates)) {
    started.push([name, await candidate.start(bench, { upstream, workers: 'auto' })])
  }
  const perSecond: Record<string, number[]> = {}
  const { seconds, warmUpSeconds, windows } = bench.settings
  for (const [, target] of started) {
    await loadJson(bench, target, { seconds: warmUpSeconds, connections, threads: 2 })
  }
  for (let turn = 0; turn < Math.ceil(windows / 3); turn += 1) {
    for (const [name, target] of started) {
      const { requests, micros } = await loadJson(bench, target, {
        seconds,
        connections,
        threads: 2,
      })
      ;(perSecond[name] ??= []).push(requests / (micros / 1e6))
    }
  }
  return perSecond
}
