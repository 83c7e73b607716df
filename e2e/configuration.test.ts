import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { countsIn, sum } from './support/counts.ts'
import { eventually } from './support/eventually.ts'
import { merge, type Part } from './support/merge.ts'
import { digestOf, newSecret, startWorld, type World } from './support/world.ts'

const inForce = { within: 2_000 }
const secondKey = newSecret('sk-sluice-')
const expiredKey = newSecret('sk-sluice-')

let world: World

beforeAll(async () => {
  world = await startWorld({ configuration: twoApps })
})
beforeEach(async () => {
  await change({}, { announced: true })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
})

const twoApps: Part = {
  tenants: {
    bank: {
      apps: {
        second: {
          roles: ['caller'],
          keys: [
            { sha256: digestOf(secondKey), expires: '2099-01-01' },
            { sha256: digestOf(expiredKey), expires: '2020-01-01' },
          ],
        },
      },
    },
  },
}

let round = 0

/** Writes the file with these changes and waits until the gateway says that it is in force. */
async function change(changes: Part, { announced = false } = {}): Promise<void> {
  round += 1
  // What is in force already is no event, so every round has a model of its own.
  const mark = { [`round-${round}`]: { targets: [{ provider: 'sim-anthropic', model: 'echo' }] } }
  await world.writeConfiguration(world.configurationWith(merge({ models: mark }, changes)))
  if (announced) world.program.signal('SIGHUP')
  await eventually(
    'the configuration in force',
    () => eventsOf('configuration in force').some((event) => isAbout(event, round)),
    inForce,
  )
}

function isAbout({ differences }: LogLine, round: number): boolean {
  return JSON.stringify(differences).includes(`round-${round}"`)
}

interface LogLine {
  readonly msg?: string
  readonly oldHash?: string | null
  readonly newHash?: string
  readonly actor?: string
  readonly differences?: readonly unknown[]
  readonly faults?: readonly unknown[]
}

function eventsOf(message: string): readonly LogLine[] {
  return world
    .logs()
    .stderr.split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ msg }) => msg?.includes(message))
}

async function statusOf(model: string, key = world.key): Promise<number> {
  const response = await world.post('/v1/chat/completions', chat(model), {
    authorization: `Bearer ${key}`,
  })
  await response.text()
  return response.status
}

const chat = (model: string, more: object = {}) => ({
  model,
  messages: [{ role: 'user', content: 'Hello' }],
  ...more,
})

const alsoRestricted: Part = {
  roles: { caller: { allow: [{ models: ['chat', 'claude', 'restricted', 'sim-*/*'] }] } },
}

describe('a change of the file', () => {
  test('is in force within two seconds', async () => {
    const before = await statusOf('restricted')

    await world.writeConfiguration(world.configurationWith(alsoRestricted))

    expect(before).toBe(403)
    await eventually('the grant', async () => (await statusOf('restricted')) === 200, inForce)
  })

  test('that a signal announces is in force too', async () => {
    await world.writeConfiguration(world.configurationWith(alsoRestricted))
    world.program.signal('SIGHUP')

    await eventually('the grant', async () => (await statusOf('restricted')) === 200, inForce)
  })

  test('that takes away a model lets its running stream complete', async () => {
    await change({ models: { leaving: leaving('sim-openai') }, roles: anything })
    const response = await world.post('/v1/chat/completions', chat('leaving', { stream: true }))

    await change({ ...movedTo('other'), roles: anything })
    const after = await statusOf('leaving')
    const text = await response.text()

    expect(after).toBe(404)
    expect(text.match(/"content":"[^"]+"/g)).toHaveLength(40)
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  })

  const leaving = (provider: string) => ({
    targets: [{ provider, model: 'lorem;sim:length=40,tps=20' }],
  })
  const anything = { caller: { allow: [{ models: ['*'] }] } }
  const movedTo = (name: string) => ({
    providers: {
      'sim-openai': null,
      [name]: {
        type: 'openai-compatible',
        baseUrl: `${world.simulator.url}/v1`,
        apiKey: 'not-a-secret',
      },
    },
    models: {
      leaving: null,
      chat: { targets: [{ provider: name, model: 'echo' }] },
      restricted: { targets: [{ provider: name, model: 'echo' }] },
    },
  })

  test('that takes a key away makes it unknown, and others stay', async () => {
    const before = await statusOf('chat', secondKey)

    await change({ tenants: { bank: { apps: { second: { keys: [] } } } } })

    expect(before).toBe(200)
    expect(await statusOf('chat', secondKey)).toBe(401)
    expect(await statusOf('chat')).toBe(200)
  })

  test('of what needs a restart is told, and does not come into force', async () => {
    await change({ server: { workers: 1 } })

    const [told] = eventsOf('come into force at the next start')
    expect(JSON.stringify(told)).toContain('server.workers')
    expect(await statusOf('chat')).toBe(200)
  })

  test('is told in the log and kept in the store, with hashes and without secrets', async () => {
    const newCredential = newSecret('sk-planted-openai-')

    await change({ ...alsoRestricted, providers: { 'sim-openai': { apiKey: newCredential } } })

    const event = eventsOf('configuration in force').at(-1)
    const hash = /^sha256:[0-9a-f]{64}$/
    expect(event).toMatchObject({
      oldHash: expect.stringMatching(hash),
      newHash: expect.stringMatching(hash),
      actor: expect.any(String),
      file: expect.stringContaining('sluice.yaml'),
    })
    expect(event?.newHash).not.toBe(event?.oldHash)
    expect(JSON.stringify(event?.differences)).toContain('caller')
    const rows = storedChanges()
    expect(rows.at(-1)).toMatchObject({ old_hash: event?.oldHash, new_hash: event?.newHash })
    const told = world.logs().stderr + JSON.stringify(rows)
    for (const secret of [newCredential, world.key, ...Object.values(world.providerKeys)]) {
      expect(told).not.toContain(secret)
    }
    await statusOf('chat')
    expect(world.simulator.requests.at(-1)?.headers.authorization).toBe(`Bearer ${newCredential}`)
  })

  function storedChanges(): readonly Record<string, unknown>[] {
    const store = new DatabaseSync(join(world.folder, 'data', 'sluice.db'), { readOnly: true })
    try {
      return store.prepare('SELECT * FROM configuration_changes ORDER BY id').all()
    } finally {
      store.close()
    }
  }

  test('ten times under load fails no call', async () => {
    const load = new AbortController()
    const statuses = new Map<number, number>()
    const callers = Array.from({ length: 4 }, async () => {
      while (!load.signal.aborted) {
        const status = await statusOf('chat')
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    })

    for (let seconds = 101; seconds <= 110; seconds += 1) {
      // Other timeouts mean other connections.
      await change({ providers: { 'sim-openai': { timeouts: { idle: `${seconds}s` } } } })
    }
    load.abort()
    await Promise.all(callers)

    expect([...statuses.keys()]).toEqual([200])
    expect(statuses.get(200)).toBeGreaterThan(50)
  }, 40_000)
})

describe('a file that is refused', () => {
  test('leaves the running one in force, and the log says where it is wrong', async () => {
    const faulty = world
      .configurationWith({
        ...alsoRestricted,
        models: { broken: { targets: [{ provider: 'nobody', model: 'x' }] } },
      })
      .replace('"teams"', '"taems"')
    const before = eventsOf('the configuration is refused').length

    await world.writeConfiguration(faulty)

    const told = await eventually(
      'the refusal',
      () => eventsOf('the configuration is refused')[before],
      inForce,
    )
    const faults = JSON.stringify(told.faults)
    const line = (text: string) => faulty.split('\n').findIndex((one) => one.includes(text)) + 1
    expect(positionsIn(world.logs().stderr)).toEqual(
      expect.arrayContaining([line('"taems"'), line('"nobody"')]),
    )
    expect(faults).toContain('taems')
    expect(faults).toContain('nobody')
    expect(await statusOf('chat')).toBe(200)
    expect(await statusOf('restricted')).toBe(403)
  })

  /** The lines of all `file:line:column`, or of objects that say the same. */
  function positionsIn(log: string): readonly number[] {
    return [...log.matchAll(/sluice\.yaml:(\d+):\d+|"line":(\d+)/g)].map((match) =>
      Number(match[1] ?? match[2]),
    )
  }

  test('and repaired at once comes into force', async () => {
    const before = eventsOf('the configuration is refused').length
    await world.writeConfiguration(`${world.configurationWith(alsoRestricted)}}`)
    await eventually(
      'the refusal',
      () => eventsOf('the configuration is refused').length > before,
      inForce,
    )

    await world.writeConfiguration(world.configurationWith(alsoRestricted))

    await eventually('the grant', async () => (await statusOf('restricted')) === 200, inForce)
  })

  test('because it is half-written is read again when it is whole', async () => {
    const text = world.configurationWith(alsoRestricted)
    const file = join(world.folder, 'sluice.yaml')

    await writeFile(file, text.slice(0, text.length / 2))
    await sleep(400)
    const between = [await statusOf('chat'), await statusOf('restricted')]
    await writeFile(file, text)

    expect(between).toEqual([200, 403])
    await eventually('the grant', async () => (await statusOf('restricted')) === 200, inForce)
  })

  test('at the start ends it with exit code 1 and file:line:column', async () => {
    await writeFile(join(world.folder, 'wrong.yaml'), 'version: 1\nservre: {}\n')

    const started = await world.sluice('start', '-c', 'wrong.yaml')
    const checked = await world.sluice('check', '-c', 'wrong.yaml')

    for (const { code, stdout, stderr } of [started, checked]) {
      expect(code).toBe(1)
      expect(stdout + stderr).toMatch(/wrong\.yaml:2:1\b/)
      expect(stdout + stderr).toMatch(/server/)
    }
  })
})

test('a key that has expired is refused and told so', async () => {
  const response = await world.post('/v1/chat/completions', chat('chat'), {
    authorization: `Bearer ${expiredKey}`,
  })

  expect(response.status).toBe(401)
  expect(await response.json()).toMatchObject({ error: { code: 'credential_expired' } })
})

test('/v1/models lists what is granted, and nothing else', async () => {
  await change({
    roles: {
      caller: { allow: [{ models: ['c*', 'sim-openai/echo', 'sim-anthropic/*'] }] },
      narrow: { allow: [{ models: ['restricted'], endpoints: ['chat.completions'] }] },
    },
    tenants: { bank: { apps: { second: { roles: ['narrow'] } } } },
  })

  const names = async (key: string) => {
    const response = await world.fetch('/v1/models', {
      headers: { authorization: `Bearer ${key}` },
    })
    const { data } = (await response.json()) as { data: { id: string }[] }
    return data.map(({ id }) => id)
  }

  expect(await names(world.key)).toEqual(['chat', 'claude', 'sim-openai/echo'])
  expect(await names(secondKey)).toEqual(['restricted'])
})

test('a hundred thousand keys start within seconds, all work, and memory stays in bounds', async () => {
  const apps = Array.from({ length: 100 }, (_, app) => `app-${app}`)
  const keyOf = (app: string, number: number) => `sk-sluice-${app}-key-number-${number}`
  const keys = {
    tenants: {
      many: {
        apps: Object.fromEntries(
          apps.map((app) => [
            app,
            {
              roles: ['caller'],
              keys: Array.from({ length: 1_000 }, (_, number) => ({
                sha256: digestOf(keyOf(app, number)),
              })),
            },
          ]),
        ),
      },
    },
  }
  const begun = performance.now()
  await using crowded = await startWorld({
    configuration: { include: ['keys.json'] },
    files: { 'keys.json': JSON.stringify(keys) },
  })
  const took = performance.now() - begun

  const statuses = await Promise.all(
    apps.map(async (app, number) => {
      const response = await crowded.post('/v1/chat/completions', chat('chat'), {
        authorization: `Bearer ${keyOf(app, number * 10)}`,
      })
      await response.text()
      return response.status
    }),
  )
  const stranger = await crowded.post('/v1/chat/completions', chat('chat'), {
    authorization: `Bearer ${keyOf('app-1', 1_000)}`,
  })

  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(stranger.status).toBe(401)
  expect(took).toBeLessThan(10_000)
  const growth = (await residentMemory(crowded)) - (await residentMemory(world))
  expect(growth).toBeLessThan(250e6)
}, 40_000)

async function residentMemory(of: World): Promise<number> {
  return sum(countsIn(await of.metrics()), 'process_resident_memory_bytes')
}
