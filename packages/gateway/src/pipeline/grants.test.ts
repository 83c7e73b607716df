import { expect, test } from 'vitest'
import type { RoleRule, Rules } from '../exchange.ts'
import { compileGrants } from './grants.ts'

function grantsOf(roles: Record<string, RoleRule>) {
  return compileGrants({ roles } as unknown as Rules)
}

const grants = grantsOf({
  agent: {
    allow: [
      { models: ['support-*'], endpoints: ['chat.completions'] },
      { models: ['assistant', 'openai/*'], endpoints: null },
    ],
  },
  nothing: {
    allow: [
      { models: [], endpoints: null },
      { models: ['*'], endpoints: [] },
    ],
  },
})

test('names the rule that allows a call', () => {
  expect(grants.find(['agent'], 'chat.completions', 'support-chat')).toBe('role:agent/allow/0')
  expect(grants.find(['agent'], 'messages', 'assistant')).toBe('role:agent/allow/1')
})

test('a star stands for anything, slashes and versions included', () => {
  expect(grants.find(['agent'], 'messages', 'openai/a/b@1')).toBe('role:agent/allow/1')
})

test('nothing is allowed that no rule allows', () => {
  expect(grants.find(['agent'], 'messages', 'support-chat')).toBeNull()
  expect(grants.find(['agent'], 'chat.completions', 'other')).toBeNull()
  expect(grants.find([], 'chat.completions', 'assistant')).toBeNull()
  expect(grants.find(['unknown'], 'chat.completions', 'assistant')).toBeNull()
})

test('an empty list allows none', () => {
  expect(grants.find(['nothing'], 'messages', 'assistant')).toBeNull()
  expect(grants.allowsModel(['nothing'], 'assistant')).toBe(false)
})

test('lists names that are spelled out, and not patterns', () => {
  expect(grants.namedModels(['agent'])).toEqual(['assistant'])
})
