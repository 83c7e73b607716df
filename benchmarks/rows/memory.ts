import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { Started } from '../candidates/candidate.ts'
import { sluice } from '../candidates/sluice.ts'
import { whole } from '../format.ts'
import { loadJson } from '../load/json-load.ts'
import { rssMb } from '../measure.ts'
import type { Row } from '../row.ts'
import { startJsonUpstream } from '../upstream/upstream.ts'

const limitMb = 150
const connections = 64

/** What one more worker costs: (RSS with 4 − RSS with 1) / 3, both after the same load. */
const perWorker: Row = {
  id: 'memory',
  title: 'Memory per worker of Sluice',
  goal: `≤ ${limitMb} MB`,
  async measure(bench) {
    const exchanges = bench.settings.quick ? 10_000 : 200_000
    const [one, four] = [await loaded(bench, 1, exchanges), await loaded(bench, 4, exchanges)]
    const each = (four - one) / 3
    return {
      cells: {
        'RSS with 1 worker, MB': whole(one),
        'with 4': whole(four),
        'per worker': whole(each),
        after: `${whole(exchanges)} exchanges`,
      },
      figures: { one, four, each, exchanges },
      verdict: { figure: `${whole(each)} MB`, reached: each <= limitMb },
    }
  },
}

/** Whether it stays: RSS on the way to a million exchanges. */
const overTime: Row = {
  id: 'memory-long',
  title: 'Memory of Sluice over a million exchanges',
  long: true,
  goal: 'flat: ≤ 1.1 ×',
  async measure(bench) {
    const [early, late] = bench.settings.quick ? [20_000, 60_000] : [500_000, 1_000_000]
    const target = await startSluice(bench, 1)
    const samples: Record<number, number> = {}
    let done = 0
    for (const mark of [early / 5, early, late]) {
      done = await loadUntil(bench, target, { from: done, to: mark })
      await sleep(2000)
      samples[mark] = rssMb(target.pid)
    }
    const grown = (samples[late] ?? Number.NaN) / (samples[early] ?? Number.NaN)
    const figures = Object.entries(samples).map(([mark, mb]) => [
      `RSS after ${whole(Number(mark))}, MB`,
      whole(mb),
    ])
    return {
      cells: Object.fromEntries(figures) as Record<string, string>,
      figures: { samples, grown },
      verdict: {
        figure: `${grown.toFixed(2)} × from ${whole(early)} to ${whole(late)}`,
        reached: grown <= 1.1,
      },
    }
  },
}

export const memoryRows: readonly Row[] = [perWorker, overTime]

async function loaded(bench: Bench, workers: number, exchanges: number): Promise<number> {
  const target = await startSluice(bench, workers)
  await loadUntil(bench, target, { from: 0, to: exchanges })
  await sleep(2000)
  const held = rssMb(target.pid)
  await target.stop()
  return held
}

async function startSluice(bench: Bench, workers: number): Promise<Started> {
  const upstream = await startJsonUpstream(bench)
  return sluice.start(bench, { upstream, workers })
}

/** Loads in rounds until so many exchanges are done in all; gives how many there were. */
async function loadUntil(
  bench: Bench,
  target: Started,
  { from, to }: { from: number; to: number },
): Promise<number> {
  let done = from
  while (done < to) {
    const round = await loadJson(bench, target, { seconds: 2, connections, threads: 2 })
    done += round.requests
  }
  return done
}
