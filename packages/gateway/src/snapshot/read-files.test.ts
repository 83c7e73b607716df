import { expect, test } from 'vitest'
import { faultsIn, loadText, smallRules, testFiles } from './test-files.ts'

const openai = (apiKey: string) =>
  `version: 1\nproviders: { a: { type: openai, apiKey: ${apiKey} } }\n`

async function apiKeyOf(text: string, environment: NodeJS.ProcessEnv = {}) {
  return (await loadText(openai(text), environment)).rules.providers['a']?.apiKey
}

test('reads the environment anywhere in a text, with defaults', async () => {
  expect(await apiKeyOf('"a-${NAME}-${OTHER:-z}"', { NAME: 'b' })).toBe('a-b-z')
  expect(await apiKeyOf('"${NAME:-default}"', { NAME: '' })).toBe('default')
  expect(await apiKeyOf('"$${NAME}"', { NAME: 'b' })).toBe('${NAME}')
  expect(await apiKeyOf('"${NAME}"', { NAME: '${OTHER}' })).toBe('${OTHER}')
})

test('a missing variable is a fault with its place', async () => {
  expect(await faultsIn(openai('"${NOPE}"'))).toEqual([
    'sluice.yaml:2:41: the environment variable `NOPE` is not set',
  ])
  expect(await faultsIn(openai('"${NO PE}"'))).toEqual([
    'sluice.yaml:2:41: `${NO PE}` does not name an environment variable; write ${NAME}, or $${ for a literal ${',
  ])
})

test('what came from outside is not shown in faults', async () => {
  const [fault] = await faultsIn('version: 1\nserver: { listen: "${S}" }', { S: 'hush hush' })
  expect(fault).toContain('sluice.yaml:2:19')
  expect(fault).not.toContain('hush')
})

test('reads files, relative to the file that names them, without the line break at the end', async () => {
  await using files = await testFiles({
    'sluice.yaml': 'version: 1\ninclude: [more/*.yaml]\n',
    'more/providers.yaml': 'providers: { a: { type: openai, apiKey: { file: key.txt } } }',
    'more/key.txt': 'sk-from-file\n',
  })
  const { rules, files: read } = await files.load()
  expect(rules.providers['a']?.apiKey).toBe('sk-from-file')
  expect(read.map((file) => file.slice(files.directory.length + 1))).toEqual([
    'sluice.yaml',
    'more/providers.yaml',
    'more/key.txt',
  ])
})

test('a file that is not there is a fault with its place', async () => {
  expect(await faultsIn(openai('{ file: nowhere/key.txt }'))).toEqual([
    'sluice.yaml:2:41: cannot read the file `nowhere/key.txt`',
  ])
})

test('includes merge maps deeply, and the same file is read once', async () => {
  await using files = await testFiles({
    'sluice.yaml': `${smallRules}include: [teams/*.yaml, "teams/b.yaml", none*.yaml]\ntenants: { bank: { teams: { it: {} } } }`,
    'teams/a.yaml':
      'version: 1\ntenants: { bank: { teams: { a: {} }, apps: { one: { team: it } } } }',
    'teams/b.yaml': 'include: [../sluice.yaml]\ntenants: { bank: { apps: { two: { team: a } } } }',
  })
  const { tree } = await files.load()
  expect(tree).toMatchObject({
    tenants: {
      bank: { teams: { it: {}, a: {} }, apps: { one: { team: 'it' }, two: { team: 'a' } } },
    },
  })
})

test('an include that names no file is a fault, a glob that matches none is not', async () => {
  await using files = await testFiles({
    'sluice.yaml': 'version: 1\ninclude: [nope.yaml, "x*.yaml"]',
  })
  expect(await files.faults()).toEqual([
    'sluice.yaml:2:11: cannot read the file `nope.yaml`: there is no such file',
  ])
})

test('two definitions of one name are a fault that names both places', async () => {
  await using files = await testFiles({
    'sluice.yaml': `${smallRules}include: [a.yaml, b.json]\nserver: { workers: 2 }`,
    'a.yaml':
      'server: { workers: 3 }\ntenants:\n  t:\n    apps:\n      desk: { roles: [member] }\n',
    'b.json': '{\n  "tenants": { "t": { "apps": {\n    "desk": { "keys": [] } } } }\n}',
  })
  expect(await files.faults()).toEqual([
    'a.yaml:1:11: `server.workers` is defined twice: here and at sluice.yaml:6:11; keep one of the two',
    'b.json:3:5: `tenants.t.apps.desk` is defined twice: here and at a.yaml:5:7; keep one of the two',
  ])
})

test('a file that cannot be parsed does not make everything else look missing', async () => {
  await using files = await testFiles({
    'sluice.yaml':
      'version: 1\ninclude: [broken.json]\nmodels: { m: { targets: [{ provider: p, model: x }] } }',
    'broken.json': '{\n  "providers": { "p": { "type": "simulator", } }\n}',
  })
  expect(await files.faults()).toEqual([
    'broken.json:2:46: not well-formed JSON: expected a name in double quotes, not `}`',
  ])
})

test.each([
  ['{"tenants": {"a": {}, "a": {}}}', '1:23: `a` is defined twice in the same map'],
  ['{"tenants": {"a": {}, "\\u0061": {}}}', '1:23: `a` is defined twice in the same map'],
  ['{"tenants": tru}', '1:13: not well-formed JSON: expected a value, not `t`'],
  ['{"tenants": {}} x', '1:17: not well-formed JSON: nothing may follow the value'],
  ['{"tenants": {}', '1:15: not well-formed JSON: expected `,` or `}`, not the end of the file'],
  ['[]', '1:1: the file must hold a map of members such as `version: 1`'],
])('JSON %s', async (text, fault) => {
  await using files = await testFiles({
    'sluice.yaml': 'version: 1\ninclude: [keys.json]',
    'keys.json': text,
  })
  expect(await files.faults()).toEqual([`keys.json:${fault}`])
})
