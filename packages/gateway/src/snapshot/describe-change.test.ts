import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { describeChange } from './describe-change.ts'
import { findDifferences } from './differences.ts'
import { restartNeeded } from './settings.ts'
import { loadText, testFiles } from './test-files.ts'

const withKey = `version: 1
providers: { a: { type: openai, apiKey: "\${KEY}", baseUrl: "https://\${HOST:-h}/v1" } }
`

test('a change is described by what is different, without secrets', async () => {
  const before = await loadText(withKey, { KEY: 'old-secret' })
  const after = await loadText(`${withKey}server: { workers: 2 }`, { KEY: 'new-secret', HOST: 'x' })

  const change = await describeChange(before, after, { actor: 'file', now: () => new Date(0) })

  expect(change).toEqual({
    at: '1970-01-01T00:00:00.000Z',
    oldHash: before.rules.hash,
    newHash: after.rules.hash,
    oldDirectory: 1,
    newDirectory: 1,
    differences: [
      { path: 'providers.a.apiKey', kind: 'changed', before: '(secret)', after: '(secret)' },
      { path: 'providers.a.baseUrl', kind: 'changed', before: '(secret)', after: '(secret)' },
      { path: 'server', kind: 'added', after: { workers: 2 } },
    ],
    more: 0,
    file: 'sluice.yaml',
    commit: null,
    actor: 'file',
  })
  expect(restartNeeded(before.settings, after.settings)).toEqual(['server.workers'])
})

test('secrets that came or went as part of something larger are not shown either', async () => {
  const before = await loadText('version: 1')
  const after = await loadText('version: 1\nproviders: { a: { type: openai, apiKey: literal } }')
  const there = await describeChange(before, after, { actor: 'file' })
  const back = await describeChange(after, before, { actor: 'file' })
  expect(JSON.stringify([there, back])).not.toContain('literal')
  expect(there.differences[0]).toMatchObject({ path: 'providers', kind: 'added' })
  expect(back.differences[0]).toMatchObject({ path: 'providers', kind: 'removed' })
})

test('names the commit that is checked out where the file is', async () => {
  await using files = await testFiles({ 'sluice.yaml': 'version: 1' })
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
      cwd: files.directory,
      encoding: 'utf8',
    }).trim()
  const configuration = await files.load()

  const outside = await describeChange(configuration, configuration, { actor: 'start' })
  git('init', '-q')
  git('add', '.')
  git('commit', '-qm', 'first')
  const inside = await describeChange(configuration, configuration, { actor: 'start' })

  expect(outside.commit).toBeNull()
  expect(inside.commit).toBe(git('rev-parse', 'HEAD'))
})

test('lists 1,000 differences and counts the others', () => {
  const side = (value: number) => ({
    tree: Object.fromEntries(Array.from({ length: 1_500 }, (_, index) => [`m${index}`, value])),
    secrets: new Set<string>(),
  })
  const { differences, more } = findDifferences(side(1), side(2))
  expect({ listed: differences.length, more }).toEqual({ listed: 1_000, more: 500 })
})

test('large parts that came are counted, not quoted', () => {
  const apps = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`a${index}`, {}]))
  const none = new Set<string>()
  const found = findDifferences({ tree: {}, secrets: none }, { tree: { apps }, secrets: none })
  expect(found.differences).toEqual([{ path: 'apps', kind: 'added', after: '(100000 members)' }])
})
