import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from '../processes.ts'
import { installOnce } from './install.ts'

/** A Node 20: the machine's own if it has one, else npm's. */
export async function findNode20(): Promise<string> {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  for (const folder of folders.filter((path) => !path.includes('node_modules'))) {
    const node = join(folder, 'node')
    if (existsSync(node) && (await nodeVersion(node)).startsWith('v20.')) return node
  }
  const name = `node-${process.platform}-${process.arch}`
  return join(await installOnce('node-20', name, '20'), 'bin', 'node')
}

async function nodeVersion(node: string): Promise<string> {
  return (await run({ command: node, args: ['--version'] }, 10)).trim()
}
