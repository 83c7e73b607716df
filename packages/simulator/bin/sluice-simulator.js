#!/usr/bin/env node
// Plain JavaScript that older versions of Node can parse too, so that they can say what to do.
import { existsSync } from 'node:fs'

const major = Number(process.versions.node.split('.')[0])

if (major < 24) {
  console.error(
    'sluice-simulator: needs Node.js 24 or newer; this is ' +
      process.version +
      '. Install it from https://nodejs.org and try again.',
  )
  process.exit(1)
}

// A checkout runs from source, a published package has only dist.
const source = new URL('../src/program.ts', import.meta.url)
const built = new URL('../dist/program.js', import.meta.url)

import(existsSync(source) ? source.href : built.href).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
