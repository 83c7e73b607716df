import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  freshEnvironment,
  isOffline,
  RunningCommand,
  runShell,
} from '../scripts/test-support/terminal.ts'
import {
  copyWorkingTree,
  repositoryRoot,
  temporaryFolder,
} from '../scripts/test-support/working-copy.ts'
import { digestOf } from './support/world.ts'

/** What is published is built in a copy, packed, and installed where nothing of ours is. */

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let offline = false
const inside = (...names: readonly string[]) => join(folder.path, ...names)

/** The Node that runs this test goes first, as if it were the machine's own. */
const env = freshEnvironment()
env['PATH'] = `${join(process.execPath, '..')}:${env['PATH'] ?? ''}`

beforeAll(async () => {
  folder = await temporaryFolder('package')
  await mkdir(inside('source'))
  await mkdir(inside('tarballs'))
  await mkdir(inside('empty'))
  await copyWorkingTree(inside('source'))
  await borrowDependencies(inside('source', 'node_modules'))

  await must('npm run build', inside('source'))
  await must(
    `npm pack --silent --pack-destination ${inside('tarballs')} -w @sluice/simulator -w @sluice/gateway`,
    inside('source'),
  )
  await writeFile(inside('empty', 'package.json'), '{ "private": true }\n')
  const install = await runShell('npm install --no-audit --no-fund ../tarballs/*.tgz', {
    cwd: inside('empty'),
    env,
    withinMs: 120_000,
  })
  offline = install.code !== 0 && isOffline(install.stderr)
  if (!offline) expect(install.code, install.stderr).toBe(0)
}, 240_000)

afterAll(async () => {
  await folder[Symbol.asyncDispose]()
})

/** Everything that is installed here, but for our own packages, which are the copy's. */
async function borrowDependencies(modules: string): Promise<void> {
  const installed = join(repositoryRoot, 'node_modules')
  await mkdir(join(modules, '@sluice'), { recursive: true })
  for (const name of await readdir(installed)) {
    if (name !== '@sluice') await symlink(join(installed, name), join(modules, name))
  }
  for (const name of ['simulator', 'gateway']) {
    await symlink(join('..', '..', 'packages', name), join(modules, '@sluice', name))
  }
}

async function must(line: string, cwd: string): Promise<string> {
  const { code, stdout, stderr } = await runShell(line, { cwd, env, withinMs: 120_000 })
  expect(code, `${line}\n${stdout}${stderr}`).toBe(0)
  return stdout
}

test('what is published holds what its package.json names, and nothing that only tests need', async () => {
  for (const name of ['simulator', 'gateway']) {
    const listing = await must(`tar -tzf sluice-${name}-*.tgz`, inside('tarballs'))
    const files = listing.split('\n').map((line) => line.replace(/^package\//, ''))
    const manifest = JSON.parse(
      await readFile(inside('source', 'packages', name, 'package.json'), 'utf8'),
    ) as { bin: Record<string, string>; exports: Record<string, string | Record<string, string>> }

    const named = [
      ...Object.values(manifest.bin),
      ...Object.values(manifest.exports).flatMap((entry) =>
        typeof entry === 'string'
          ? [entry]
          : // What runs from source is for a checkout alone.
            Object.entries(entry).flatMap(([key, file]) =>
              key === '@sluice/source' ? [] : [file],
            ),
      ),
    ].map((file) => file.replace(/^\.\//, ''))
    expect(files).toEqual(expect.arrayContaining([...named, 'README.md']))
    expect(files.filter((file) => /\.test\.|\.fixture\.|test-support|^src\//.test(file))).toEqual(
      [],
    )
  }
})

test(
  'installed in an empty folder, it starts, answers and explains',
  { timeout: 90_000 },
  async (context) => {
    if (offline) context.skip('The package registry cannot be reached.')
    const key = 'sk-sluice-0123456789abcdef'
    const cwd = inside('empty')
    await writeFile(join(cwd, 'sluice.yaml'), configuration(key))
    await using gateway = new RunningCommand('npx', ['sluice', 'start', '-c', 'sluice.yaml'], {
      cwd,
      env,
    })
    const [, url] = await gateway.waitFor(/(http:\S+)\/v1/, 30_000)

    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'Hello' }] }),
    })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('Hello')

    const story = await must(`npx sluice explain ${response.headers.get('x-sluice-decision')}`, cwd)
    expect(story).toContain('It was allowed, went to demo/echo and completed (HTTP 200).')
  },
)

test(
  'its types are whole, and fit a program that imports it',
  { timeout: 60_000 },
  async (context) => {
    if (offline) context.skip('The package registry cannot be reached.')
    const cwd = inside('empty')
    await writeFile(
      join(cwd, 'program.mts'),
      `import { createGateway, type Gateway } from '@sluice/gateway'
     import { startSimulator } from '@sluice/simulator'
     await using simulator = await startSimulator()
     const gateway: Gateway = await createGateway({ source: { file: simulator.url }, environment: {} })
     // @ts-expect-error -- a wrong type is noticed, so there are types
     export const url: number = gateway.url`,
    )
    const tsc = join(repositoryRoot, 'node_modules', '.bin', 'tsc')
    const types = join(repositoryRoot, 'node_modules', '@types')
    await must(
      `${tsc} --noEmit --strict --module nodenext --target es2023 --lib es2023,esnext.disposable --typeRoots ${types} --types node program.mts`,
      cwd,
    )
  },
)

test('on an older Node the commands say what to do', async (context) => {
  if (offline) context.skip('The package registry cannot be reached.')
  const old = await findOldNode()
  if (old === null) context.skip('There is no Node before 24 on this machine.')

  for (const bin of ['gateway/bin/sluice.js', 'simulator/bin/sluice-simulator.js']) {
    const file = inside('empty', 'node_modules', '@sluice', bin)
    const { code, stderr } = await runShell(`${old} ${file} --help`, { cwd: inside('empty'), env })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('needs Node.js 24 or newer') as string,
    })
  }
})

function configuration(key: string): string {
  return `version: 1
server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0', workers: 2 }
providers: { demo: { type: simulator } }
models: { echo: { targets: [{ provider: demo, model: echo }] } }
roles: { member: { allow: [{ models: [echo] }] } }
tenants: { demo: { apps: { first: { roles: [member], keys: [{ sha256: ${digestOf(key)} }] } } } }
`
}

async function findOldNode(): Promise<string | null> {
  for (const folder of (freshEnvironment()['PATH'] ?? '').split(':')) {
    const node = join(folder, 'node')
    if (!existsSync(node)) continue
    const { stdout } = await runShell(`${node} --version`, { cwd: '/', env })
    if (Number(/^v(\d+)/.exec(stdout)?.[1]) < 24) return node
  }
  return null
}
