import { expect, test } from 'vitest'
import { Bounds, clearRow, createBoundsTable, readTotals } from './bounds.ts'

const limits = { connections: 3, exchanges: 2, bytesInFlight: 10 * 1024 }

test('a limit counts what all workers hold together', () => {
  const table = createBoundsTable(2)
  const [one, two] = [new Bounds(table, 0, limits), new Bounds(table, 1, limits)]

  expect([one.openExchange(), two.openExchange(), one.openExchange()]).toEqual([true, true, false])
  two.closeExchange()
  expect(one.openExchange()).toBe(true)
  expect(readTotals(table).exchanges).toBe(2)
})

test('bytes are taken and given back', () => {
  const table = createBoundsTable(1)
  const bounds = new Bounds(table, 0, limits)
  expect(bounds.holdKibibytes(10)).toBe(true)
  expect(bounds.holdKibibytes(1)).toBe(false)
  bounds.releaseKibibytes(10)
  expect(readTotals(table).bytes).toBe(0)
})

test('what a dead worker held is forgotten, what it counted is not', () => {
  const table = createBoundsTable(2)
  const dead = new Bounds(table, 1, limits)
  dead.openConnection()
  dead.openExchange()
  dead.countUnparsable()
  clearRow(table, 1)
  expect(readTotals(table)).toEqual({ connections: 0, exchanges: 0, bytes: 0, unparsable: 1 })
})
