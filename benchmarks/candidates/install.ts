import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Unavailable } from '../bench.ts'
import { run } from '../processes.ts'

const candidates = join(import.meta.dirname, '..', '.candidates')

/** Installs a package into a folder of its own, once, without its install scripts; gives its path. */
export async function installOnce(
  folderName: string,
  name: string,
  range: string,
): Promise<string> {
  const folder = join(candidates, folderName)
  const installed = join(folder, 'node_modules', name)
  // npm writes this list at the very end, so an install that was interrupted has none
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return installed

  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "private": true }\n')
  const flags = ['--ignore-scripts', '--no-save', '--no-package-lock', '--no-audit', '--no-fund']
  try {
    await run(
      {
        command: 'npm',
        args: ['install', '--prefix', folder, ...flags, '--omit=dev', `${name}@${range}`],
        cwd: folder,
      },
      300,
    )
  } catch (error) {
    throw new Unavailable(`${name}@${range} cannot be installed: ${String(error).slice(0, 300)}`)
  }
  return installed
}
