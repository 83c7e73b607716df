import { expect, test } from 'vitest'
import { forwardedQuery } from './forwarded-query.ts'

test('the query goes upstream as it came', () => {
  expect(forwardedQuery('beta=true&x=%20a+b&empty')).toBe('?beta=true&x=%20a+b&empty')
})

test("a caller's key never does, however its name is spelled", () => {
  expect(forwardedQuery('key=secret')).toBe('')
  expect(forwardedQuery('api_key=1&%6Bey=secret&k%65y=secret')).toBe('?api_key=1')
})
