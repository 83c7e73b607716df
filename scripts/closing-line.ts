import { readFileSync } from 'node:fs'

/**
 * Prints the last line of `.ci/run`, from Vitest's JSON and the statuses of what else was run:
 * `closing-line.ts results.json tests=0 check=0 dockerfile=0`. A command counts as one.
 */

interface Results {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly unknown[]
  }[]
}

export function closingLine(
  results: Results | null,
  statuses: Readonly<Record<string, number>>,
): { readonly line: string; readonly failed: number } {
  const { tests = 0, ...commands } = statuses
  // A file that cannot be loaded has no tests that could fail.
  const brokenFiles = (results?.testResults ?? []).filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length
  const found = (results?.numFailedTests ?? 0) + brokenFiles
  const failedTests = tests !== 0 && found === 0 ? 1 : found
  const failedCommands = Object.values(commands).filter((status) => status !== 0).length
  const passed = (results?.numPassedTests ?? 0) + Object.keys(commands).length - failedCommands
  const failed = failedTests + failedCommands
  return { line: `${passed} passed, ${failed} failed`, failed }
}

function readResults(file: string): Results | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Results
  } catch {
    return null
  }
}

if (import.meta.main) {
  const [file = '', ...pairs] = process.argv.slice(2)
  const statuses = Object.fromEntries(
    pairs.map((pair) => pair.split('=')).map(([name = '', status]) => [name, Number(status)]),
  )
  const results = readResults(file)
  for (const [name, status] of Object.entries(statuses)) {
    if (status !== 0) console.log(`${name} failed (${status})`)
  }
  if ((results?.numPendingTests ?? 0) > 0) console.log(`${results?.numPendingTests} skipped`)
  const { line, failed } = closingLine(results, statuses)
  console.log(line)
  process.exitCode = failed === 0 ? 0 : 1
}
