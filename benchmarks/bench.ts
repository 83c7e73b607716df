import { availableParallelism } from 'node:os'

/** How long and how often to measure. */
export interface Settings {
  readonly windows: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly quick: boolean
}

/** Which cores the proxies share, and which are left for the load and the upstream. */
export interface Cores {
  readonly proxy: string
  readonly load: string
}

/** What every row needs to know. */
export interface Bench {
  readonly settings: Settings
  readonly cores: Cores
  /** A temporary folder that is removed at the end. */
  readonly folder: string
  readonly tools: { readonly nginx: boolean; readonly wrk: boolean }
}

/** Thrown where a row cannot be measured here; the row then says why. */
export class Unavailable extends Error {}

export function chooseCores(): Cores {
  const last = availableParallelism() - 1
  if (last === 0) return { proxy: '0', load: '0' }
  return { proxy: '0', load: last === 1 ? '1' : `1-${last}` }
}
