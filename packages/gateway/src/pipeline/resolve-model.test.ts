import { expect, test } from 'vitest'
import type { Rules } from '../exchange.ts'
import { resolveModel } from './resolve-model.ts'

const rules = {
  providers: { hf: {}, openai: {} },
  models: {
    assistant: { targets: [{ provider: 'openai', model: 'gpt-4o' }] },
    'openai/gpt-4o': { targets: [{ provider: 'hf', model: 'other' }] },
  },
} as unknown as Rules

const codeOf = (name: string) => {
  try {
    resolveModel(rules, name)
    return null
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('an entry goes before everything else', () => {
  expect(resolveModel(rules, 'assistant').targets).toEqual([
    { provider: 'openai', model: 'gpt-4o' },
  ])
  expect(resolveModel(rules, 'openai/gpt-4o').targets[0]?.provider).toBe('hf')
})

test('what follows the first slash is the name that is sent upstream, whatever it holds', () => {
  expect(resolveModel(rules, 'hf/@cf/meta/llama:free').targets).toEqual([
    { provider: 'hf', model: '@cf/meta/llama:free' },
  ])
})

test('a name that stands for nothing does not exist', () => {
  for (const name of [
    'other',
    'nobody/model',
    '/x',
    'hf/',
    '__proto__',
    'constructor/x',
    'toString',
  ]) {
    expect(codeOf(name)).toBe('model_not_found')
  }
  expect(codeOf(`hf/${'x'.repeat(600)}`)).toBe('model_not_found')
})

test('a version of an entry that has none is a version that is not found', () => {
  expect(codeOf('assistant@2')).toBe('version_not_found')
})
