import { expect, test } from 'vitest'
import { closingLine } from './closing-line.ts'

const results = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 1, testResults: [] }
const well = { tests: 0, check: 0, dockerfile: 0 }

test('counts tests, and each other command as one', () => {
  expect(closingLine(results, well)).toEqual({ line: '7 passed, 0 failed', failed: 0 })
  expect(closingLine(results, { ...well, check: 2 }).line).toBe('6 passed, 1 failed')
})

test('a file that cannot be loaded is a failure, and so are tests that left no result', () => {
  const broken = { status: 'failed', assertionResults: [] }
  const withBroken = { ...results, testResults: [broken] }
  expect(closingLine(withBroken, { ...well, tests: 1 }).line).toBe('7 passed, 1 failed')
  expect(closingLine(null, { ...well, tests: 1 }).line).toBe('2 passed, 1 failed')
})
