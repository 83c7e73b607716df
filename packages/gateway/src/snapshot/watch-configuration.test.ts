import { rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { testFiles } from './test-files.ts'
import { watchConfiguration } from './watch-configuration.ts'

async function watched(files: Awaited<ReturnType<typeof testFiles>>) {
  const seen = vi.fn<() => void>()
  const configuration = await files.load()
  const watch = watchConfiguration({ ...configuration, onChange: seen, interval: 10 })
  return { seen, watch, [Symbol.dispose]: () => watch.close() }
}

test('sees a file that is written, replaced, or comes by a glob', async () => {
  await using files = await testFiles({ 'sluice.yaml': 'version: 1\ninclude: ["teams/*.yaml"]' })
  using watching = await watched(files)

  await files.write('sluice.yaml', 'version: 1\ninclude: ["teams/*.yaml"]\n# more')
  await vi.waitFor(() => expect(watching.seen).toHaveBeenCalledTimes(1))

  const next = await files.write('next.yaml', 'version: 1')
  await rename(next, files.main)
  await vi.waitFor(() => expect(watching.seen).toHaveBeenCalledTimes(2))

  await files.write('teams/new.yaml', '{}')
  await vi.waitFor(() => expect(watching.seen.mock.calls.length).toBeGreaterThanOrEqual(3))
})

test('sees a symbolic link that is swapped', async () => {
  await using files = await testFiles({
    'sluice.yaml': 'version: 1\nproviders: { a: { type: simulator, apiKey: { file: data/key } } }',
    'one/key': 'a',
    'two/key': 'b',
  })
  const link = join(files.directory, 'data')
  await symlink('one', link)
  using watching = await watched(files)

  await symlink('two', `${link}.next`)
  await rename(`${link}.next`, link)
  await vi.waitFor(() => expect(watching.seen).toHaveBeenCalledTimes(1))
})

test('sees what happened between the reading and the first look', async () => {
  await using files = await testFiles({ 'sluice.yaml': 'version: 1' })
  const configuration = await files.load()
  await files.write('sluice.yaml', 'version: 1\n# changed')
  const seen = vi.fn<() => void>()
  const watch = watchConfiguration({ ...configuration, onChange: seen, interval: 10 })
  await vi.waitFor(() => expect(seen).toHaveBeenCalledTimes(1))
  await rm(files.main)
  await vi.waitFor(() => expect(seen).toHaveBeenCalledTimes(2))
  watch.close()
})
