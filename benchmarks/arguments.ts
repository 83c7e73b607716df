import { parseArgs } from 'node:util'
import type { Settings } from './bench.ts'
import type { Row } from './row.ts'
import { tables } from './rows/rows.ts'

export interface Arguments {
  readonly settings: Settings
  readonly rows: readonly Row[]
  readonly help: boolean
}

export const help = `npm run bench -- [options]

  --only ID,…    measure these rows only
  --long         measure the long rows too
  --quick        3 windows of 1 s, to try it out; figures are noise and nothing is written
  --windows N    windows per pair (15)
  --seconds N    length of a window (3)
  --help

Rows:
${tables.map(({ rows }) => rows.map(describe).join('\n')).join('\n')}

Example: npm run bench -- --quick --only sluice-json,portkey20-json`

export function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      long: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      windows: { type: 'string' },
      seconds: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const { quick, help, long } = values
  return {
    help,
    settings: {
      quick,
      windows: wholeNumber(values.windows ?? (quick ? '3' : '15')),
      seconds: wholeNumber(values.seconds ?? (quick ? '1' : '3')),
      warmUpSeconds: quick ? 1 : 3,
    },
    rows: values.only === undefined ? allRows(long) : named(values.only.split(',')),
  }
}

function allRows(long: boolean): Row[] {
  return tables.flatMap(({ rows }) => rows).filter((row) => long || row.long !== true)
}

function named(ids: readonly string[]): Row[] {
  const rows = allRows(true)
  return ids.map((id) => {
    const row = rows.find((row) => row.id === id)
    if (row === undefined) throw new Error(`There is no row "${id}"; --help lists them.`)
    return row
  })
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`"${text}" is no whole number above 0.`)
  return Number(text)
}

function describe({ id, title, long }: Row): string {
  return `  ${id.padEnd(20)} ${title}${long === true ? ' (long)' : ''}`
}
