import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import type { Settings } from './bench.ts'
import type { RowResult } from './row.ts'

export interface Results {
  readonly date: string
  readonly machine: Machine
  readonly rows: readonly (RowResult & { readonly settings?: Settings })[]
}

interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly node: string
}

export function newResults(): Results {
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      memoryGb: Math.round(totalmem() / 2 ** 30),
      node: process.version,
    },
    rows: [],
  }
}

/** Writes today's file; rows that it has from the same machine stay unless measured anew. */
export async function saveResults(fresh: Results): Promise<Results> {
  const file = join(import.meta.dirname, 'results', `${fresh.date}.json`)
  const earlier = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Results) : fresh
  const sameMachine = JSON.stringify(earlier.machine) === JSON.stringify(fresh.machine)
  const measured = new Set(fresh.rows.map(({ id }) => id))
  const kept = sameMachine ? earlier.rows.filter(({ id }) => !measured.has(id)) : []
  const all = { ...fresh, rows: [...kept, ...fresh.rows] }
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(all, null, 1)}\n`)
  return all
}
