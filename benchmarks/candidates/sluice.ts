import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { model, upstreamModel } from '../load/requests.ts'
import { freePort, start } from '../processes.ts'
import { serverCandidate } from './candidate.ts'

const root = join(import.meta.dirname, '..', '..')
const main = join(root, 'packages', 'gateway', 'src', 'main.ts')
const key = 'sk-sluice-benchmark-0123456789abcdef'

/** As a user starts it, with what it always does: keys, grants and decision records. */
export const sluice = serverCandidate('Sluice', async (bench, options) => {
  const { port, upstream, workers, cores } = options
  const folder = join(bench.folder, `sluice-${port}`)
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'sluice.yaml')
  const server = { listen: `127.0.0.1:${port}`, admin: `127.0.0.1:${await freePort()}`, workers }
  const configuration = { server, ...rules(upstream.origin) }
  await writeFile(file, JSON.stringify(configuration, null, 2)) // JSON is YAML
  const flags = ['--disable-warning=ExperimentalWarning', '--conditions', '@sluice/source']
  const running = start({
    command: process.execPath,
    args: [...flags, main, 'start', '-c', file],
    cores,
    cwd: folder,
  })
  return { running, headers: { authorization: `Bearer ${key}` } }
})

function rules(upstream: string): object {
  const sha256 = createHash('sha256').update(key).digest('hex')
  return {
    version: 1,
    store: { url: 'sqlite:./data/sluice.db' },
    providers: {
      upstream: {
        type: 'openai-compatible',
        baseUrl: `${upstream}/v1`,
        apiKey: 'sk-upstream-benchmark',
        maxConnections: 4096,
      },
    },
    models: { [model]: { targets: [{ provider: 'upstream', model: upstreamModel }] } },
    roles: { load: { allow: [{ models: [model] }] } },
    tenants: { bench: { apps: { load: { roles: ['load'], keys: [{ sha256 }] } } } },
  }
}
