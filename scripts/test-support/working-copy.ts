import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export const repositoryRoot = join(import.meta.dirname, '..', '..')

/** A new folder that is gone when the test ends. */
export async function temporaryFolder(name: string): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), `sluice-${name}-`))
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  }
}

/** Files that a clone would hold if everything here were committed; relative to the root. */
export async function repositoryFiles(): Promise<readonly string[]> {
  const { stdout } = await execute(
    'git',

    // A checkout that another user owns, as in many containers, is read all the same.
    ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    { cwd: repositoryRoot, maxBuffer: 64 * 1024 * 1024 },
  )
  const names = stdout.split('\0').filter((name) => name !== '')
  return [...new Set(names)].filter((name) => existsSync(join(repositoryRoot, name))).sort()
}

/** Makes the folder what a fresh clone is: no `node_modules`, nothing built. */
export async function copyWorkingTree(to: string): Promise<void> {
  const files = await repositoryFiles()
  const folders = new Set(files.map((file) => dirname(join(to, file))))
  for (const folder of folders) await mkdir(folder, { recursive: true })
  await Promise.all(files.map((file) => copyFile(join(repositoryRoot, file), join(to, file))))
  await execute('git', ['init', '--quiet'], { cwd: to })
}
