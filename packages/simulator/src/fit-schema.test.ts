import { expect, test } from 'vitest'
import { fitSchema } from './fit-schema.ts'

test('values fit their types and bounds', () => {
  const properties = {
    text: { type: 'string', minLength: 15 },
    short: { type: 'string', maxLength: 3 },
    day: { type: 'string', format: 'date' },
    whole: { type: 'integer', minimum: 7 },
    even: { type: 'integer', minimum: 3, multipleOf: 2 },
    less: { type: 'number', exclusiveMaximum: 0 },
    flag: { type: 'boolean' },
    nothing: { type: 'null' },
    maybe: { type: ['null', 'integer'] },
    list: { type: 'array', items: { type: 'boolean' }, minItems: 2 },
    word: { enum: ['a', 'b'] },
    fixed: { const: 4 },
  }
  expect(fitSchema({ type: 'object', properties })).toEqual({
    text: 'lorem ipsum....',
    short: 'lor',
    day: '2026-01-31',
    whole: 7,
    even: 4,
    less: -0.5,
    flag: true,
    nothing: null,
    maybe: 1,
    list: [true, true],
    word: 'a',
    fixed: 4,
  })
})

test('references, alternatives and combinations are followed', () => {
  const schema = {
    $defs: { size: { type: 'integer', minimum: 2 } },
    type: 'object',
    properties: {
      size: { $ref: '#/$defs/size' },
      choice: { anyOf: [{ type: 'boolean' }, { type: 'string' }] },
      both: {
        allOf: [
          { type: 'object', properties: { a: { const: 1 } } },
          { type: 'object', properties: { b: { $ref: '#/$defs/size' } } },
        ],
      },
    },
  }
  expect(fitSchema(schema)).toEqual({ size: 2, choice: true, both: { a: 1, b: 2 } })
})

test('a schema that contains itself comes to an end', () => {
  const schema = {
    type: 'object',
    properties: { name: { const: 'x' }, child: { $ref: '#' } },
    required: ['name'],
  }
  expect(JSON.stringify(fitSchema(schema)).length).toBeLessThan(1000)
})

test('a tool without a schema is called without arguments', () => {
  expect(fitSchema(undefined)).toEqual({})
  expect(fitSchema({ type: 'object', properties: {} })).toEqual({})
})
