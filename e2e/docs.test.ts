import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { commandLinePage } from '../scripts/generate-reference.ts'
import {
  repositoryFiles,
  repositoryRoot,
  temporaryFolder,
} from '../scripts/test-support/working-copy.ts'
import { runProgram } from './support/program.ts'

let files: readonly string[] = []
let pages: ReadonlyMap<string, string> = new Map()

beforeAll(async () => {
  files = await repositoryFiles()
  const names = files.filter((file) => file.endsWith('.md') && !file.includes('/fixtures/'))
  pages = new Map(
    await Promise.all(
      names.map(
        async (name) => [name, await readFile(join(repositoryRoot, name), 'utf8')] as const,
      ),
    ),
  )
})

test('links between the pages lead somewhere, headings included', () => {
  const broken = [...pages].flatMap(([page, text]) =>
    linksOf(text)
      .filter((link) => !leadsSomewhere(page, link))
      .map((link) => `${page}: ${link}`),
  )
  expect(broken).toEqual([])
})

function linksOf(text: string): readonly string[] {
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').replaceAll(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', heading] = link.split('#')
  const target = path === '' ? page : normalize(join(dirname(page), path))
  if (!existsSync(join(repositoryRoot, target))) return false
  return heading === undefined || headingsOf(pages.get(target) ?? '').includes(heading)
}

/** As code hosts make anchors of headings. */
function headingsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('every page of docs/ can be reached from docs/README.md', () => {
  const reached = new Set(['docs/README.md'])
  // A set takes what is added while it is walked through.
  for (const page of reached) {
    for (const link of linksOf(pages.get(page) ?? '')) {
      const target = normalize(join(dirname(page), link.split('#')[0] ?? ''))
      if (pages.has(target)) reached.add(target)
    }
  }
  const all = [...pages.keys()].filter((page) => page.startsWith('docs/'))
  expect(all.filter((page) => !reached.has(page))).toEqual([])
})

test('configurations that the pages show are valid', { timeout: 120_000 }, async () => {
  const shown = [...pages].flatMap(([page, text]) =>
    configurationsIn(text).map((configuration) => ({ page, configuration })),
  )
  expect(shown.length).toBeGreaterThan(3)
  await using folder = await temporaryFolder('docs')

  const faults: string[] = []
  for (const [index, { page, configuration }] of shown.entries()) {
    const name = `${index}.yaml`
    await writeFile(join(folder.path, name), configuration)
    const program = runProgram(['check', '-c', name], {
      folder: folder.path,
      environment: variablesOf(configuration),
    })
    const { code } = await program.waitForEnd(30_000)
    if (code !== 0) faults.push(`${page}: ${program.stderr()}`)
  }
  expect(faults).toEqual([])
})

/** Blocks of YAML that say to be a whole file. */
function configurationsIn(text: string): readonly string[] {
  return [...text.matchAll(/^( *)```yaml\n([\s\S]*?)^ *```$/gm)]
    .map(([, indentation = '', block = '']) =>
      block.replaceAll(new RegExp(`^${indentation}`, 'gm'), ''),
    )
    .filter((block) => block.startsWith('# sluice.yaml\n') || /\$schema=/.test(block))
}

function variablesOf(configuration: string): Record<string, string> {
  const names = [...configuration.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name)
  return Object.fromEntries(names.map((name) => [name, 'set-for-the-test']))
}

test('every file and folder that ARCHITECTURE.md names exists, and no folder is missing', () => {
  const named = treesOf(pages.get('ARCHITECTURE.md') ?? '')
  expect(named.filter((path) => !existsSync(join(repositoryRoot, path)))).toEqual([])

  const sources = 'packages/gateway/src/'
  const top = files
    .filter((file) => file.startsWith(sources) && !file.endsWith('.test.ts'))
    .map((file) => sources + (file.slice(sources.length).split('/')[0] ?? ''))
  const folders = files.filter((file) => file.includes('/')).map((file) => file.split('/')[0] ?? '')
  expect(named).toEqual(expect.arrayContaining([...new Set([...top, ...folders])]))
})

/** Paths of the trees: a name and its meaning on each line, two blanks for each level. */
function treesOf(text: string): readonly string[] {
  return [...text.matchAll(/^```text\n([\s\S]*?)^```$/gm)]
    .map(([, tree = '']) => tree.trimEnd().split('\n'))
    .flatMap((lines) => {
      const parents: string[] = []
      return lines.map((line) => {
        const [, indentation = '', name = ''] = /^( *)(\S+)/.exec(line) ?? []
        const depth = indentation.length / 2
        parents.length = depth
        parents[depth] = name.replace(/\/$/, '')
        return parents.join('/')
      })
    })
}

test('the index of decisions lists each of them once, by its own title', () => {
  const decisions = [...pages].filter(([page]) => /^docs\/decisions\/\d{4}-/.test(page))
  const expected = decisions.map(([page, text]) => {
    const name = page.slice('docs/decisions/'.length)
    const title = /^# \d+\. (.*)$/m.exec(text)?.[1]
    return `[${name.slice(0, 4)}](${name}) | ${title}`
  })
  const listed = [
    ...(pages.get('docs/decisions/README.md') ?? '').matchAll(/^\| (\[\d{4}\].*?) *\|$/gm),
  ]
  expect(listed.map(([, row = '']) => row.replaceAll(/ +\| +/g, ' | '))).toEqual(expected.sort())
})

test(
  'the page of the command line is what the commands say of themselves',
  { timeout: 120_000 },
  async () => {
    // If this fails: node scripts/generate-reference.ts
    expect(pages.get('docs/reference/command-line.md')).toBe(await commandLinePage())
  },
)
