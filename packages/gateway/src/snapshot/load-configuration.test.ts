import { hash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { demoConfiguration } from './demo-configuration.ts'
import { openDirectory } from './directory.ts'
import { loadConfiguration } from './load-configuration.ts'
import { digestOf, faultsIn, loadText, smallRules, testFiles } from './test-files.ts'

test('needs nothing but the version, and fills in the defaults of the page', async () => {
  const { settings, rules, directory } = await loadText('version: 1')

  expect(settings).toMatchObject({
    listen: { host: '127.0.0.1', port: 8080 },
    admin: { host: '127.0.0.1', port: 8081 },
    workers: 'auto',
    trustedProxies: [],
    tls: null,
    shutdownGrace: 30_000,
    decisions: { payloads: 'none', retention: 30 * 86_400_000, log: { what: 'off', file: null } },
    logs: { level: 'info' },
  })
  expect(rules).toMatchObject({
    limits: { requestBody: 20 * 2 ** 20, headers: 32 * 2 ** 10, bytesInFlight: 2 ** 30 },
    timeouts: { headers: 10_000, body: 60_000, keepAlive: 60_000, hold: 30_000 },
    providers: {},
  })
  expect(directory).toMatchObject({ keys: 0, revision: 1 })
})

test('compiles providers with the defaults of their type', async () => {
  const { rules } = await loadText(`version: 1
providers:
  openai: { type: openai, apiKey: sk-1 }
  claude: { type: anthropic, apiKey: sk-2, timeouts: { connect: 2s, total: 10m } }
  local: { type: openai-compatible, baseUrl: "http://127.0.0.1:11434/v1/" }
`)
  expect(rules.providers).toMatchObject({
    openai: { name: 'openai', baseUrl: 'https://api.openai.com/v1', apiKey: 'sk-1' },
    claude: {
      baseUrl: 'https://api.anthropic.com',
      timeouts: { connect: 2_000, firstToken: 60_000, idle: 120_000, total: 600_000 },
    },
    local: { baseUrl: 'http://127.0.0.1:11434/v1', apiKey: null, tls: null, maxConnections: 256 },
  })
  expect(Object.isFrozen(rules.providers)).toBe(true)
})

test('paths start at the folder of the file in which they stand', async () => {
  await using files = await testFiles({
    'sluice.yaml': 'version: 1\ninclude: [more/store.yaml]\n',
    'more/store.yaml':
      'store: { url: "sqlite:./x.db" }\ndecisions: { log: { what: all, file: out.log } }\n',
  })
  const { settings } = await files.load()
  expect(settings.store.file).toBe(join(files.directory, 'more', 'x.db'))
  expect(settings.decisions.log).toEqual({
    what: 'all',
    file: join(files.directory, 'more', 'out.log'),
  })
})

test('the demo loads, its key is found, and it has a model that no role allows', async () => {
  const { text, key } = demoConfiguration()
  const { directory, rules } = await loadText(text)

  const opened = openDirectory(directory)
  const entry = opened.find(hash('sha256', key))

  expect(key).toMatch(/^sk-sluice-[0-9A-Za-z]{40}$/)
  expect(text).not.toContain(key)
  expect(opened.principal(entry)).toMatchObject({ tenant: 'demo', team: 'newcomers' })
  const allowed = Object.values(rules.roles).flatMap((role) =>
    role.allow.flatMap((it) => it.models),
  )
  expect(rules.models).toHaveProperty('restricted')
  expect(allowed).not.toContain('restricted')
})

test('the hash names what the rules say, not how the file says it', async () => {
  const first = await loadText(
    'version: 1\nproviders: { a: { type: simulator }, b: { type: simulator } }',
  )
  const same = await loadText(
    'providers: { b: { type: simulator }, a: { type: simulator } }\nversion: 1',
  )
  const other = await loadText('version: 1\nproviders: { a: { type: simulator } }')

  expect(first.rules.hash).toMatch(/^sha256:[0-9a-f]{64}$/)
  expect(same.rules.hash).toBe(first.rules.hash)
  expect(other.rules.hash).not.toBe(first.rules.hash)
})

test('another secret gives another hash', async () => {
  const text = 'version: 1\nproviders: { a: { type: openai, apiKey: "${KEY}" } }'
  const [one, two] = [await loadText(text, { KEY: 'one' }), await loadText(text, { KEY: 'two' })]
  expect(one.rules.hash).not.toBe(two.rules.hash)
})

test('rules and directory keep their identity where nothing changed', async () => {
  const withKey = (digest: string) =>
    `${smallRules}tenants: { t: { apps: { a: { keys: [{ sha256: "${digest}" }] } } } }`
  await using files = await testFiles({ 'sluice.yaml': withKey(digestOf(1)) })
  const first = await files.load()

  const again = await loadConfiguration({ file: files.main }, {}, first)
  await files.write('sluice.yaml', withKey(digestOf(2)))
  const changed = await loadConfiguration({ file: files.main }, {}, again)

  expect(again.rules).toBe(first.rules)
  expect(again.directory).toBe(first.directory)
  expect(changed.rules).toBe(first.rules)
  expect(changed.directory.revision).toBe(first.directory.revision + 1)
})

test('loads and checks 100,000 apps with keys from a JSON file', async () => {
  const apps: Record<string, unknown> = {}
  for (let number = 0; number < 100_000; number++) {
    const key = { sha256: digestOf(number), expires: '2027-01-01' }
    apps[`app-${number}`] = { team: 'support', roles: ['member'], keys: [key] }
  }
  await using files = await testFiles({
    'sluice.yaml': `${smallRules}include: [keys.json]\ntenants: { bank: { teams: { support: {} } } }`,
    'keys.json': JSON.stringify({ tenants: { bank: { apps } } }, null, 1),
  })

  const { directory } = await files.load()

  const opened = openDirectory(directory)
  const entry = opened.find(digestOf(99_999))
  expect(directory.keys).toBe(100_000)
  expect(opened.principal(entry)).toMatchObject({ app: 'app-99999', team: 'support' })
  expect(opened.expires(entry)).toBe(Date.UTC(2027, 0, 1))
}, 60_000)

test('a fault deep in a large JSON file is named with its line and column', async () => {
  const apps: Record<string, unknown> = {}
  for (let number = 0; number < 2_000; number++) apps[`app-${number}`] = { keys: [] }
  apps['last'] = { roles: ['membre'], keys: [{ sha256: 'short' }] }
  const text = JSON.stringify({ tenants: { bank: { apps } } }, null, 1)
  await using files = await testFiles({
    'sluice.yaml': `${smallRules}include: [keys.json]`,
    'keys.json': text,
  })
  const line = (part: string) => text.slice(0, text.indexOf(part)).split('\n').length

  expect(await files.faults()).toEqual([
    `keys.json:${line('"membre"')}:7: \`tenants.bank.apps.last.roles[0]\`: there is no role "membre"; did you mean \`member\`?`,
    `keys.json:${line('"short"')}:18: \`tenants.bank.apps.last.keys[0].sha256\` must be a SHA-256 digest: 64 lower-case hexadecimal digits, not "short"`,
  ])
})

test('a missing file is a fault', async () => {
  await using files = await testFiles({})
  expect(await files.faults()).toEqual(['sluice.yaml:1:1: there is no such file'])
})

test('shows every fault, in the order of the file', async () => {
  const faults = await faultsIn(`version: 2
server: { listen: 8080 }
models: { m: { targets: [{ provider: nobody, model: x }] } }
`)
  expect(faults).toEqual([
    'sluice.yaml:1:10: `version` must be 1, not the number 2',
    'sluice.yaml:2:19: `server.listen` must be a text, not the number 8080; put it in quotes',
    'sluice.yaml:3:38: `models.m.targets[0].provider`: there is no provider "nobody"',
  ])
})

test('a file with very many faults shows 1,000 of them and counts the others', async () => {
  const keys = Array.from({ length: 50_000 }, () => ({ sha256: 'short' }))
  await using files = await testFiles({
    'sluice.yaml': `${smallRules}include: [keys.json]`,
    'keys.json': JSON.stringify({ tenants: { t: { apps: { a: { keys } } } } }, null, 1),
  })
  const faults = await files.faults()
  expect(faults).toHaveLength(1_001)
  expect(faults.at(-1)).toMatch(/and \d+ more faults$/)
})
