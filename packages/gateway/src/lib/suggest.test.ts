import { expect, test } from 'vitest'
import { didYouMean, nearest } from './suggest.ts'

test.each([
  ['provider', ['providers', 'models'], 'providers'],
  ['modles', ['providers', 'models'], 'models'],
  ['Store', ['store'], 'store'],
  ['xyz', ['providers', 'models'], null],
])('%j among %j: %j', (word, candidates, meant) => {
  expect(nearest(word, candidates)).toBe(meant)
})

test('asks, or says nothing', () => {
  expect(didYouMean('rols', ['roles'])).toBe('; did you mean `roles`?')
  expect(didYouMean('nothing', ['roles'])).toBe('')
})
