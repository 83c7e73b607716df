import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { countMembers, findDuplicate, surveyJson } from './json-spans.ts'

const modelOf = (text: string) => {
  const { value } = surveyJson(text, 'model')
  return value === null ? null : text.slice(value.start, value.end)
}

test('finds the value of a root member, white space left out', () => {
  expect(modelOf('{ "a": 1, "model" :  "gpt-4o" , "b": 2 }')).toBe('"gpt-4o"')
  expect(modelOf('{"model":"x"}')).toBe('"x"')
  expect(modelOf('{"model":{"a":[1,2]},"b":1}')).toBe('{"a":[1,2]}')
})

test('does not take a member of an inner object, nor a text, for the root member', () => {
  expect(modelOf('{"metadata":{"model":"inner"},"text":"\\"model\\":\\"text\\""}')).toBeNull()
  expect(modelOf('{"a":"model","model":"b"}')).toBe('"b"')
})

test('knows a member whose name is spelled with escapes', () => {
  expect(modelOf('{"mod\\u0065l":"x"}')).toBe('"x"')
})

test('tells the depth of the nesting', () => {
  expect(surveyJson('{"a":[[{"b":"[[[["}]]}', 'model').depth).toBe(4)
  expect(surveyJson('['.repeat(100_000) + ']'.repeat(100_000), 'model').depth).toBe(100_000)
})

test('on any JSON, counts as many members as a parser finds, and finds the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.jsonValue(), (value, model) => {
      const root = { before: value, model, after: [value] }
      const text = JSON.stringify(root, null, 1)
      const survey = surveyJson(text, 'model')
      expect(survey.members).toBe(countMembers(JSON.parse(text)))
      expect(JSON.parse(modelOf(text) ?? '')).toEqual(JSON.parse(JSON.stringify(model)))
      expect(findDuplicate(text)).toBeNull()
    }),
  )
})

test('a member that stands twice, at any depth and in any spelling, is counted and found', () => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"x":[{"b":{"a":1,"\\u0061":2}}]}',
    '{"__proto__":1,"__proto__":2}',
    '{"a":{"a":1},"b":[{"c":1},{"c":2,"c":3}]}',
  ]) {
    expect(surveyJson(text, 'model').members).toBeGreaterThan(countMembers(JSON.parse(text)))
    expect(findDuplicate(text)).not.toBeNull()
  }
})

test('strings that end in backslashes do not confuse it', () => {
  expect(modelOf('{"a":"\\\\","b":"\\\\\\"","model":"m"}')).toBe('"m"')
})
