import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { behaviours } from './behaviours.ts'
import { optionTable, readOptions, splitModel } from './options.ts'

test('options hang on the name of the model', () => {
  const { name, suffix } = splitModel('lorem;sim:length=5,cut=random,no-done=1')
  expect(name).toBe('lorem')
  expect(readOptions(suffix, {})).toEqual({ length: 5, cut: 'random', 'no-done': true })
})

test('a header wins over the name of the model', () => {
  expect(readOptions('length=5,tps=2', { 'x-sim-length': '9', other: 'x' })).toEqual({
    length: 9,
    tps: 2,
  })
})

test.each(['speed=1', 'length=-1', 'length=much', 'cut=0', 'half=yes', 'status=99', 'redirect='])(
  'an option that it does not understand is refused: %s',
  (suffix) => {
    expect(() => readOptions(suffix, {})).toThrow(/option/)
  },
)

test('the README lists every model and every option as the code has them', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const models = Object.entries(behaviours).map(([name, { about }]) => [`\`${name}\``, about])
  const options = Object.entries(optionTable).map(([name, { values, about }]) => [
    `\`${name}\``,
    values,
    about,
  ])
  expect(tableAfter(readme, '## Models')).toEqual(models)
  expect(tableAfter(readme, '## Options')).toEqual(options)
})

/** The cells of the first table after a heading, without its two first rows. */
function tableAfter(markdown: string, heading: string): readonly (readonly string[])[] {
  const section = markdown.slice(markdown.indexOf(heading))
  const rows = /(?:^\|.*\n)+/m.exec(section)?.[0].trimEnd().split('\n') ?? []
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}
