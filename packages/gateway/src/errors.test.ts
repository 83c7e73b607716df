import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errors } from './errors.ts'

const page = readFileSync(new URL('../../../docs/reference/errors.md', import.meta.url), 'utf8')

/** Rows of the page's table, as the code's own table would say it. */
function documented(): [code: string, facts: { status: number; retryable: boolean }][] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [code = '', status = '', , , retry = ''] = line
        .split('|')
        .slice(1)
        .map((cell) => cell.trim())
      expect(['yes', 'no'], `retry of ${code}`).toContain(retry)
      return [code.replaceAll('`', ''), { status: Number(status), retryable: retry === 'yes' }]
    })
}

test('the page of errors and the table in the code say the same, each code once', () => {
  const rows = documented()
  expect(rows.map(([code]) => code).sort()).toEqual(Object.keys(errors).sort())
  expect(Object.fromEntries(rows)).toEqual(errors)
})
