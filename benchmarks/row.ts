import type { Bench } from './bench.ts'

/** Something that is measured by itself, and ends as one line of a table. */
export interface Row {
  readonly id: string
  readonly title: string
  /** Takes many minutes: measured with `--long`, or when it is named. */
  readonly long?: boolean
  /** What the figure must reach. */
  readonly goal?: string
  /** What it starts is stopped when it ends, however it ends. */
  readonly measure: (bench: Bench) => Promise<Measured>
}

export interface Measured {
  /** The line of the table, by column. */
  readonly cells: Readonly<Record<string, string>>
  /** Everything that was measured, for the file of results. */
  readonly figures: unknown
  /** Where the row has a goal: the figure, and whether it got there. */
  readonly verdict?: Verdict
}

interface Verdict {
  readonly figure: string
  readonly reached: boolean
}

/** A row as it is kept in the file of results; `failure` where it could not be measured. */
export interface RowResult extends Partial<Measured> {
  readonly id: string
  readonly title: string
  readonly goal?: string
  readonly failure?: string
}
