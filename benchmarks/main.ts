import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { help, readArguments } from './arguments.ts'
import { type Bench, chooseCores, type Settings, Unavailable } from './bench.ts'
import { isInstalled, killAll, stopAll, unexpectedDeaths } from './processes.ts'
import { fullReport, writeReports } from './report.ts'
import { newResults, saveResults } from './results.ts'
import type { Row, RowResult } from './row.ts'

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { settings, rows, help: wantsHelp } = readArguments()
  if (wantsHelp) {
    console.log(help)
    return
  }
  await requireTools()
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  cleanUpAtExit(folder)
  const results = await measureAll(await prepare(settings, folder), rows)
  const fresh = { ...newResults(), rows: results }
  console.log(`\n${fullReport(fresh)}`)
  if (!settings.quick) await writeReports(await saveResults(fresh))
  if (results.some(({ failure }) => failure?.startsWith('failed'))) process.exitCode = 1
}

async function requireTools(): Promise<void> {
  if (process.platform !== 'linux') throw new Error('The benchmark reads /proc, so it needs Linux.')
  if (Number(process.versions.node.split('.')[0]) < 24) throw new Error('Node 24 is needed.')
  if (!(await isInstalled('taskset', '--version'))) throw new Error('taskset is not installed.')
}

async function prepare(settings: Settings, folder: string): Promise<Bench> {
  const [nginx, wrk] = [await isInstalled('nginx', '-v'), await isInstalled('wrk', '-v')]
  if (!nginx) console.log('nginx is not installed: no row for it, and a Node server as upstream.')
  if (!wrk) console.log('wrk is not installed: a Node program of our own makes the load.')
  return { settings, folder, cores: chooseCores(), tools: { nginx, wrk } }
}

async function measureAll(
  bench: Bench,
  rows: readonly Row[],
): Promise<(RowResult & { settings: Settings })[]> {
  const results = []
  for (const [index, row] of rows.entries()) {
    console.log(`[${index + 1}/${rows.length}] ${row.id}: ${row.title}`)
    const result = await measureOne(bench, row)
    console.log(`    ${summary(result)}`)
    results.push({ ...result, settings: bench.settings })
  }
  return results
}

async function measureOne(bench: Bench, { id, title, goal, measure }: Row): Promise<RowResult> {
  const row = { id, title, ...(goal === undefined ? {} : { goal }) }
  try {
    return { ...row, ...(await measure(bench)) }
  } catch (error) {
    if (error instanceof Unavailable) return { ...row, failure: error.message }
    return { ...row, failure: `failed: ${withoutPaths(error, bench)}` }
  } finally {
    await stopAll()
  }
}

/** What went wrong, without naming folders of this machine: it may end up in a published file. */
function withoutPaths(error: unknown, { folder }: Bench): string {
  const what = error instanceof Error ? error.message : String(error)
  const message = [what, ...unexpectedDeaths()].join('\n')
  return message.replaceAll(join(import.meta.dirname, '..'), '.').replaceAll(folder, 'TEMPORARY')
}

function summary({ cells, failure }: RowResult): string {
  if (cells === undefined) return failure ?? ''
  return Object.entries(cells)
    .map(([column, cell]) => `${column}: ${cell}`)
    .join(' · ')
}

/** At once and without waiting, so that an interrupted run goes no further and writes nothing. */
function cleanUpAtExit(folder: string): void {
  process.on('exit', () => {
    killAll()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  })
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => process.exit(130))
  }
}
