import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { configurationReference } from './configuration-reference.ts'
import { configurationJsonSchema } from './json-schema.ts'
import { endpointNames } from './endpoint-names.ts'

const page = await readFile(
  new URL('../../../../docs/reference/configuration.md', import.meta.url),
  'utf8',
)

/** Columns may be padded on the page. */
function unpadded(table: string): string {
  return table.replace(/ +\|/g, ' |').replace(/-{3,}/g, '---').trim()
}

test('the page holds the table of members that the schema gives', () => {
  const [, table = ''] =
    /<!-- generated: members -->([^]*)<!-- end of generated -->/.exec(page) ?? []
  expect(unpadded(table)).toBe(unpadded(configurationReference()))
})

test('every member is described', () => {
  const undescribed = configurationReference()
    .split('\n')
    .filter((row) => /\| *\|$/.test(row))
  expect(undescribed).toEqual([])
})

test('the page names every endpoint', () => {
  expect(endpointNames.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})

test('the JSON Schema describes members, and allows references wherever a text may stand', () => {
  const { properties, $defs } = configurationJsonSchema()
  expect(Object.keys($defs ?? {})).toEqual(['fromEnvironment', 'fromFile'])
  expect(properties?.['store']).toMatchObject({
    properties: {
      url: {
        description: expect.any(String) as string,
        default: 'sqlite:./data/sluice.db',
        anyOf: [
          { type: 'string' },
          { $ref: '#/$defs/fromEnvironment' },
          { $ref: '#/$defs/fromFile' },
        ],
      },
    },
  })
})
