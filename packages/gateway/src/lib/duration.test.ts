import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDuration } from './duration.ts'

const units = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, y: 365 * 8.64e7 } as const

test('reads whole numbers of every unit', () => {
  const unit = fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[]))
  fc.assert(
    fc.property(fc.nat(100_000), unit, (number, name) => {
      expect(parseDuration(`${number}${name}`)).toBe(number * units[name])
    }),
  )
})

test.each(['', '5', 's', '5 s', '-5s', '1.5s', '5S', '5w', '5s5', '999999999999999y'])(
  'refuses %j',
  (text) => {
    expect(parseDuration(text)).toBeNull()
  },
)

test('never fails, whatever it reads', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const parsed = parseDuration(text)
      expect(parsed === null || Number.isSafeInteger(parsed)).toBe(true)
    }),
  )
})
