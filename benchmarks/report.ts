import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Results } from './results.ts'
import type { RowResult } from './row.ts'
import { type Table, tables } from './rows/rows.ts'

const root = join(import.meta.dirname, '..')
const marks = { start: '<!-- bench:start -->', end: '<!-- bench:end -->' }

/** Puts what readers ask first into the README, and all into the reference page, between marks. */
export async function writeReports(results: Results): Promise<void> {
  const compared = tables[0] === undefined ? [] : measuredRows(results, tables[0])
  const short = [provenance(results), rowTable(compared), goalTable(results.rows)].join('\n\n')
  await fill(join(root, 'README.md'), short)
  await fill(join(root, 'docs', 'reference', 'benchmarks.md'), fullReport(results))
}

/** Every table that has a row among the results, and the goals at the end. */
export function fullReport(results: Results): string {
  const sections = tables.flatMap((table) => {
    const measured = measuredRows(results, table)
    return measured.length === 0 ? [] : [`### ${table.heading}\n\n${rowTable(measured)}`]
  })
  return [provenance(results), ...sections, `### Goals\n\n${goalTable(results.rows)}`].join('\n\n')
}

function measuredRows(results: Results, table: Table): RowResult[] {
  const ids = new Set(table.rows.map(({ id }) => id))
  return inOrder(results.rows).filter(({ id }) => ids.has(id))
}

function provenance({ date, machine }: Results): string {
  const { cpu, cores, memoryGb, node } = machine
  return `Measured on ${date}: ${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node.slice(1)}.`
}

function rowTable(rows: readonly RowResult[]): string {
  const columns = [...new Set(rows.flatMap(({ cells = {} }) => Object.keys(cells)))]
  const [first = 'row', ...others] = columns
  const lines = rows.map(({ title, cells, failure }) =>
    cells === undefined
      ? [`${title}: ${shortened(failure)}`, ...others.map(() => '–')]
      : columns.map((column) => cells[column] ?? '–'),
  )
  return markdownTable([first, ...others], lines)
}

function goalTable(rows: readonly RowResult[]): string {
  const lines = inOrder(rows).flatMap(({ title, goal, verdict, failure }) => {
    if (goal === undefined) return []
    if (verdict === undefined) return [[title, '–', goal, shortened(failure)]]
    return [[title, verdict.figure, goal, verdict.reached ? 'reached' : '**missed**']]
  })
  return markdownTable(['figure', 'measured', 'goal', ''], lines)
}

/** A failure as it fits in a table; the file of results has all of it. */
function shortened(failure = 'not measured'): string {
  const line = failure.replace(/\s+/g, ' ').trim()
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}

function inOrder(rows: readonly RowResult[]): RowResult[] {
  const order = tables.flatMap((table) => table.rows.map(({ id }) => id))
  return rows.toSorted((a, b) => order.indexOf(a.id) - order.indexOf(b.id))
}

/** Padded as Prettier pads it, so that a written page needs no formatting. */
function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const all = [head, ...lines].map((line) => line.map((cell) => cell.replace(/[|\n]/g, ' ')))
  const widths = head.map((_, column) =>
    Math.max(3, ...all.map((line) => (line[column] ?? '').length)),
  )
  const [top = [], ...rest] = all.map((line) =>
    widths.map((width, column) => (line[column] ?? '').padEnd(width)),
  )
  const rule = widths.map((width) => '-'.repeat(width))
  return [top, rule, ...rest].map((line) => `| ${line.join(' | ')} |`).join('\n')
}

async function fill(file: string, text: string): Promise<void> {
  const page = existsSync(file) ? await readFile(file, 'utf8') : ''
  const start = page.indexOf(marks.start)
  const end = page.indexOf(marks.end)
  if (start === -1 || end < start) return
  const before = page.slice(0, start + marks.start.length)
  await writeFile(file, `${before}\n\n${text}\n\n${page.slice(end)}`)
}
