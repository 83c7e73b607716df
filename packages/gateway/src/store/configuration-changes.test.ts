import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openConfigurationChanges } from './configuration-changes.ts'

test('keeps every change of the configuration, newest first, also after a restart', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-changes-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const file = join(folder, 'data', 'sluice.db')
  const first = {
    at: 1,
    oldHash: null,
    newHash: 'sha256:a',
    differences: [],
    file: 'sluice.yaml',
    gitCommit: null,
    actor: null,
  }
  const second = {
    ...first,
    at: 2,
    oldHash: 'sha256:a',
    newHash: 'sha256:b',
    differences: [{ path: '/models/chat', kind: 'added' }],
    gitCommit: 'bd5e169',
    actor: 'root',
  }

  const changes = openConfigurationChanges(file)
  changes.insert(first)
  changes.close()
  const reopened = openConfigurationChanges(file)
  reopened.insert(second)
  expect(reopened.list(10)).toEqual([second, first])
  expect(reopened.list(1)).toEqual([second])
  reopened.close()
  expect(statSync(file).mode & 0o777).toBe(0o600)
})
