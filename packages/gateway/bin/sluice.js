#!/usr/bin/env node
// Plain JavaScript that any Node ≥ 12 can parse: finds a Node ≥ 24 and hands the command to it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const source = join(here, '..', 'src', 'main.ts')
const built = join(here, '..', 'dist', 'main.js')
// A checkout runs from source, a published package has only dist.
const fromSource = existsSync(source)

const flags = ['--disable-warning=ExperimentalWarning']
if (fromSource) flags.push('--conditions', '@sluice/source')

const major = Number(process.versions.node.split('.')[0])
const node = major >= 24 ? process.execPath : bundledNode()

if (node === undefined) {
  console.error(
    'sluice: needs Node.js 24 or newer; this is ' +
      process.version +
      '. Install it from https://nodejs.org and try again.',
  )
  process.exit(1)
}

const child = spawn(node, flags.concat(fromSource ? source : built, process.argv.slice(2)), {
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) {
  process.on(signal, () => child.kill(signal))
}
child.on('error', (error) => {
  console.error('sluice: cannot start ' + node + ': ' + error.message)
  process.exit(1)
})
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})

/** The Node 24 that the workspace brings along as an optional dependency, if this platform has one. */
function bundledNode() {
  const require = createRequire(import.meta.url)
  const names = ['node-' + process.platform.replace('win32', 'win') + '-' + process.arch]
  names.push('node-bin-' + process.platform + '-' + process.arch)
  for (const name of names) {
    try {
      const root = dirname(require.resolve(name + '/package.json'))
      const binary = join(root, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
      if (existsSync(binary)) return binary
    } catch {
      // not this one
    }
  }
  return undefined
}
