import { expect, test } from 'vitest'
import { digestOf, faultsIn, smallRules } from './test-files.ts'

/** Faults of one more part beside small rules that are right; lines count from that part. */
async function faultsOf(part: string): Promise<readonly string[]> {
  const lines = smallRules.split('\n').length - 1
  const faults = await faultsIn(smallRules + part)
  return faults.map((fault) =>
    fault.replace(/^sluice\.yaml:(\d+)/, (_, line: string) => `${Number(line) - lines}`),
  )
}

const provider = (members: string) =>
  faultsOf(`tenants: {}\n`).then(() =>
    faultsIn(`version: 1
providers: { p: ${members} }`),
  )

test.each([
  ['providr: {}', '1:1: unknown member `providr`; did you mean `providers`?'],
  ['counters: { url: "memory:" }', '1:1: `counters` is not supported yet'],
  ['countres: {}', '1:1: unknown member `countres`; did you mean `counters`?'],
  [
    'server: { workers: lots }',
    '1:20: `server.workers` must be a number from 1 to 1024, or auto, not "lots"',
  ],
  [
    'server: { trustedProxies: [10.0.0.0/33] }',
    '1:28: `server.trustedProxies[0]` must be an IP address or a network such as 10.0.0.0/8, not "10.0.0.0/33"',
  ],
  [
    'server: { listen: localhost }',
    '1:19: `server.listen` must be an address such as 127.0.0.1:8080 or [::1]:8080, not "localhost"',
  ],
  [
    'server: { admin: 127.0.0.1:8080 }',
    '1:18: `server.admin` must be another address than `server.listen`',
  ],
  [
    'server: { limits: { requestBody: 20MB } }',
    '1:34: `server.limits.requestBody` must be a size such as 512B, 64KiB, 10MiB or 1GiB, not "20MB"',
  ],
  [
    'server: { limits: { exchanges: "7" } }',
    '1:32: `server.limits.exchanges` must be a number, not "7"; remove the quotes',
  ],
  [
    'server: { timeouts: { body: 1 minute } }',
    '1:29: `server.timeouts.body` must be a duration such as 250ms, 30s, 5m, 8h, 7d or 7y, not "1 minute"',
  ],
  [
    'server: { timeouts: { body: 1y } }',
    '1:29: `server.timeouts.body` must be at least 1ms and at most 24d, not "1y"',
  ],
  ['store: { url: "postgres://db" }', '1:15: `store.url`: "postgres://db" is not supported yet'],
  [
    'store: { url: "sqlite::memory:" }',
    '1:15: `store.url` must name a file, such as sqlite:./data/sluice.db, not "sqlite::memory:"',
  ],
  ['decisions: { payloads: masked }', '1:24: `decisions.payloads`: "masked" is not supported yet'],
  [
    'decisions: { log: some }',
    '1:19: `decisions.log` must be off, refusals or all, or a map such as { what: all, file: decisions.log }, not "some"',
  ],
  [
    'decisions: { log: { what: al, file: x } }',
    '1:27: `decisions.log.what` must be one of off, refusals, all, not "al"; did you mean `all`?',
  ],
  [
    'decisions: { log: { file: x } }',
    '1:14: `decisions.log.what` is missing; it must be one of off, refusals, all',
  ],
  ['telemetry: { otlp: {} }', '1:14: `telemetry.otlp` is not supported yet'],
  [
    'telemetry: { logs: { level: inf } }',
    '1:29: `telemetry.logs.level` must be one of trace, debug, info, warn, error, fatal, silent, not "inf"; did you mean `info`?',
  ],
  ['tenants: { t: { limits: [] } }', '1:17: `tenants.t.limits` is not supported yet'],
  [
    'tenants: { t: { teams: { s: { policies: [] } } } }',
    '1:31: `tenants.t.teams.s.policies` is not supported yet',
  ],
  [
    'tenants: { t: { apps: { a: { plan: free } } } }',
    '1:30: `tenants.t.apps.a.plan` is not supported yet',
  ],
  [
    'tenants: { t: { teams: { sales: {} }, apps: { a: { team: sale } } } }',
    '1:58: `tenants.t.apps.a.team`: there is no team "sale"; did you mean `sales`?',
  ],
  [
    'tenants: { " t": {} }',
    '1:12: the name " t" in `tenants` must hold no control characters and no blanks at its ends',
  ],
  [
    'tenants: { t: { apps: { a: { keys: [{ sha256: A }] } } } }',
    '1:47: `tenants.t.apps.a.keys[0].sha256` must be a SHA-256 digest: 64 lower-case hexadecimal digits, not "A"',
  ],
])('%s', async (part, fault) => {
  expect(await faultsOf(part)).toEqual([fault])
})

test.each([
  ['{ type: bedrock }', '`providers.p.type`: "bedrock" is not supported yet'],
  [
    '{ type: opnai }',
    '`providers.p.type` must be one of openai, openai-compatible, anthropic, simulator, not "opnai"; did you mean `openai`?',
  ],
  ['{ type: openai }', '`providers.p` needs an `apiKey`'],
  [
    '{ type: openai-compatible }',
    '`providers.p` needs a `baseUrl`: an openai-compatible upstream may be anywhere',
  ],
  ['{ type: simulator, residency: [eu] }', '`providers.p.residency` is not supported yet'],
  ['{ type: simulator, tls: { keyFile: k } }', '`providers.p.tls.keyFile` needs `certFile` too'],
  [
    '{ type: simulator, baseUrl: "http://h/?a=b" }',
    '`providers.p.baseUrl` must be an http or https URL without user name, query and fragment, not "http://h/?a=b"',
  ],
  [
    '{ type: simulator, baseUrl: "ftp://h" }',
    '`providers.p.baseUrl` must be an http or https URL without user name, query and fragment, not "ftp://h"',
  ],
  [
    '{ type: simulator, apiKey: two words }',
    '`providers.p.apiKey` must be one word of printable ASCII characters, not what was read there (not shown)',
  ],
  [
    '{ type: simulator, tls: { caFile: nowhere.pem } }',
    '`providers.p.tls.caFile` cannot read the file `nowhere.pem`',
  ],
])('provider %s', async (members, message) => {
  const faults = await provider(members)
  expect(faults.map((fault) => fault.replace(/^\S+ /, ''))).toEqual([message])
})

test('a provider may not have a slash in its name', async () => {
  expect(await faultsIn('version: 1\nproviders: { a/b: { type: simulator } }')).toEqual([
    'sluice.yaml:2:14: the name of `providers.a/b` may not hold a `/`: `provider/model` is split there',
  ])
})

test('what a role allows must exist, unless it is a glob', async () => {
  const faults = await faultsIn(`version: 1
providers: { demo: { type: simulator } }
models: { assistant: { targets: [{ provider: demo, model: lorem }] } }
roles:
  r:
    allow:
      - models: [assistant, demo/x/y, "gone*", asistant, dmo/x, "assistant@1"]
        endpoints: [chat.completions, "audio.*", apis.mine, chat.completion]
`)
  expect(faults).toEqual([
    'sluice.yaml:7:48: `roles.r.allow[0].models[3]`: there is no model "asistant"; did you mean `assistant`?',
    'sluice.yaml:7:58: `roles.r.allow[0].models[4]`: there is no provider "dmo"; did you mean `demo`?',
    'sluice.yaml:7:65: `roles.r.allow[0].models[5]`: versions of models are not supported yet',
    'sluice.yaml:8:61: `roles.r.allow[0].endpoints[3]`: there is no endpoint "chat.completion"; did you mean `chat.completions`?',
  ])
})

test('a key that two apps have is named at both places', async () => {
  const key = `{ sha256: "${digestOf(1)}" }`
  const faults = await faultsOf(`tenants:
  t:
    apps:
      one: { keys: [${key}] }
      two: { keys: [${key}] }
`)
  expect(faults).toEqual([
    '5:31: `tenants.t.apps.two.keys[0]` has the same digest as `tenants.t.apps.one.keys[0]` at sluice.yaml:8:31; a key belongs to one app',
  ])
})

test('a certificate of the server needs its key, and asking clients needs their signers', async () => {
  expect(await faultsOf('server: { tls: { certFile: a.pem, clientAuth: require } }')).toEqual([
    '1:11: `server.tls.keyFile` is missing; it must be a text',
    '1:47: `server.tls.clientAuth` needs `clientCaFile`: who signed the certificates of clients',
  ])
})

test.each([
  ['', '1:1: the file must hold a map of members such as `version: 1`'],
  ['server: {}', '1:1: `version` is missing; it must be 1'],
  ['version: "1"', '1:10: `version` must be 1, not "1"'],
  [
    'version: 1\nserver: {}\nserver: {}',
    '3:1: `server` is defined twice in the same map, first on line 2',
  ],
  ['version: 1\nserver: *nowhere', '2:9: there is no anchor `&nowhere` before'],
  ['version: 1\nserver: !!map {}\n__proto__: 1', '3:1: `__proto__` cannot be a name'],
  [`version: 1\ninclude: ${'['.repeat(200)}${']'.repeat(200)}`, '2:'],
])('%j', async (text, fault) => {
  const [first] = await faultsIn(text)
  expect(first).toContain(`sluice.yaml:${fault}`)
})

test('aliases that multiply are refused', async () => {
  const lines = ['version: 1', 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  for (let level = 1; level <= 6; level++) {
    const aliases = Array.from({ length: 10 }, () => `*a${level - 1}`)
    lines.push(`a${level}: &a${level} [${aliases.join(', ')}]`)
  }
  expect(await faultsIn(lines.join('\n'))).toEqual([
    'sluice.yaml:1:1: not usable YAML: Excessive alias count indicates a resource exhaustion attack',
  ])
})

test('anchors and merges save repeating, and faults in them stand where they are written', async () => {
  const faults = await faultsIn(`version: 1
providers:
  one: &base { type: simulator, maxConnections: many }
  two: { <<: *base, type: simulator }
`)
  expect(faults).toEqual([
    'sluice.yaml:3:49: `providers.one.maxConnections` must be a number, not "many"',
    'sluice.yaml:3:49: `providers.two.maxConnections` must be a number, not "many"',
  ])
})
