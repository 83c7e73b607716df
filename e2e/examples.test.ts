import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startSimulator } from '@sluice/simulator'
import { expect, test } from 'vitest'
import { repositoryRoot, temporaryFolder } from '../scripts/test-support/working-copy.ts'
import { addressesOf, runProgram } from './support/program.ts'

const examples = join(repositoryRoot, 'examples')

interface Call {
  readonly key: string
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  readonly status: number
}

const messages = [{ role: 'user', content: 'Hello' }]
const chat = (model: string) => ({ path: '/v1/chat/completions', body: { model, messages } })

/** What the README of each example says of its keys. */
const calls: Readonly<Record<string, readonly Call[]>> = {
  quickstart: [
    { key: 'sk-sluice-example-quickstart', ...chat('chat'), status: 200 },
    { key: 'sk-sluice-example-quickstart', ...chat('chat-large'), status: 403 },
    {
      key: 'sk-sluice-example-quickstart',
      path: '/v1/messages',
      body: { model: 'claude', max_tokens: 100, messages },
      status: 200,
    },
  ],
  'local-model': [
    { key: 'sk-sluice-example-local-model', ...chat('assistant'), status: 200 },
    { key: 'sk-sluice-example-local-model', ...chat('local/qwen3:8b'), status: 200 },
  ],
  teams: [
    { key: 'sk-sluice-example-support', ...chat('fast'), status: 200 },
    { key: 'sk-sluice-example-support', ...chat('best'), status: 403 },
    { key: 'sk-sluice-example-ana', ...chat('best'), status: 200 },
    { key: 'sk-sluice-example-ben-expired', ...chat('best'), status: 401 },
  ],
}

test('every example is tested here', async () => {
  const entries = await readdir(examples, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  expect(folders.sort()).toEqual(Object.keys(calls).sort())
})

test.each(Object.entries(calls))(
  '%s starts, answers as its README says, and stops',
  async (name, asked) => {
    const readme = await readFile(join(examples, name, 'README.md'), 'utf8')
    await using folder = await temporaryFolder('example')
    await using simulator = await startSimulator()
    await cp(join(examples, name), folder.path, { recursive: true })

    const program = runProgram(['start', '-c', 'sluice.yaml', '--json'], {
      folder: folder.path,
      environment: {
        SLUICE_LISTEN: '127.0.0.1:0',
        SLUICE_ADMIN: '127.0.0.1:0',
        OPENAI_API_KEY: 'sk-test',
        OPENAI_BASE_URL: `${simulator.url}/v1`,
        ANTHROPIC_API_KEY: 'sk-test',
        ANTHROPIC_BASE_URL: simulator.url,
        LOCAL_MODEL_URL: `${simulator.url}/v1`,
      },
    })
    try {
      const { url } = await addressesOf(program)
      for (const { key, path, body, status } of asked) {
        expect(readme).toContain(key)
        const response = await fetch(url + path, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
        const text = await response.text()
        expect({ model: body['model'], status: response.status }, text).toEqual({
          model: body['model'],
          status,
        })
        if (status === 200) expect(text).toContain('Hello')
      }
      program.signal('SIGTERM')
      expect(await program.waitForEnd()).toEqual({ code: 0, signal: null })
    } finally {
      program.signal('SIGKILL')
    }
  },
)
