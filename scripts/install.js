// Runs before `npm start` and `npm test`, also on an old Node and with nothing installed:
// plain JavaScript, no dependencies.
import { execSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const lockfile = join(root, 'package-lock.json')
// npm writes this file at the end of every install, so it is older than the lockfile exactly when
// the lockfile has changed since, and missing when an install was interrupted.
const installed = join(root, 'node_modules', '.package-lock.json')

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lockfile).mtimeMs) {
  console.log('sluice: installing dependencies first (npm ci) …')
  // Not its warnings: that packages for tests ask for a newer Node is no news, we bring one along.
  execSync('npm ci --no-audit --no-fund --loglevel=error', { cwd: root, stdio: 'inherit' })
}
