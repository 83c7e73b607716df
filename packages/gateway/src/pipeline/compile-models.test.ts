import { expect, test } from 'vitest'
import type { Rules } from '../exchange.ts'
import { compileModels } from './compile-models.ts'
import type { Upstreams } from './upstreams.ts'

const upstreams = new Map(['hf', 'openai'].map((name) => [name, { name }])) as unknown as Upstreams
const rules = {
  models: {
    assistant: { targets: [{ provider: 'openai', model: 'gpt-4o' }] },
    'openai/gpt-4o': { targets: [{ provider: 'hf', model: 'other' }] },
  },
} as unknown as Rules
const resolve = compileModels(rules, upstreams)

const labelsOf = (name: string) => resolve(name).targets.map(({ label }) => label)
const codeOf = (name: string) => {
  try {
    resolve(name)
    return null
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('an entry goes before everything else', () => {
  expect(labelsOf('assistant')).toEqual(['openai/gpt-4o'])
  expect(labelsOf('openai/gpt-4o')).toEqual(['hf/other'])
})

test('what follows the first slash is the name that is sent upstream, whatever it holds', () => {
  expect(resolve('hf/@cf/meta/llama:free').targets[0]?.model).toBe('@cf/meta/llama:free')
  expect(resolve('hf/a"b').targets[0]?.modelJson.toString()).toBe('"a\\"b"')
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
