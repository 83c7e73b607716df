import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileGlob } from './glob.ts'

test.each([
  ['gpt-4o', 'gpt-4o', true],
  ['gpt-4o', 'gpt-4o-mini', false],
  ['gpt-*', 'gpt-4o/x@1', true],
  ['*', '', true],
  ['a*a', 'a', false],
  ['a*b*c', 'a.b.b.c', true],
  ['a*b*c', 'acb', false],
  ['a.c', 'abc', false],
])('%j on %j is %j', (pattern, text, matches) => {
  expect(compileGlob(pattern)(text)).toBe(matches)
})

test('agrees with a regular expression of the same meaning', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 })
  fc.assert(
    fc.property(
      word,
      fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }),
      (glob, text) => {
        const expected = new RegExp(`^${glob.replaceAll('*', '.*')}$`).test(text)
        expect(compileGlob(glob)(text)).toBe(expected)
      },
    ),
  )
})
