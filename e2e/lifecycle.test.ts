import { readFile, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask } from './support/ask.ts'
import { eventually } from './support/eventually.ts'
import { readDecision } from './support/read-decisions.ts'
import { startWorld, type World } from './support/world.ts'

let world: World

beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
})

const lorem = (options: string) => ({
  model: `sim-openai/lorem;sim:${options}`,
  stream: true,
  messages: [{ role: 'user', content: 'Hello' }],
})

const echo = { model: 'chat', messages: [{ role: 'user', content: 'Hello' }] }

/** Opens a stream and waits for its first piece; `rest` is all of it. */
async function openStream(world: World, options: string) {
  const response = await world.post('/v1/chat/completions', lorem(options))
  const reader = response.body?.getReader()
  if (reader === undefined) throw new Error('The answer has no body.')
  const chunks = [await reader.read()]
  const rest = async () => {
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) chunks.push(read)
      return { text: textOf(chunks), isWhole: true }
    } catch {
      return { text: textOf(chunks), isWhole: false }
    }
  }
  return { rest, id: response.headers.get('x-sluice-decision') ?? '' }
}

function textOf(chunks: readonly { readonly value?: Uint8Array | undefined }[]): string {
  return Buffer.concat(chunks.map(({ value }) => value ?? new Uint8Array())).toString()
}

test('a second gateway on the same address is refused with exit code 1 and says what to do', async () => {
  const taken = { data: new URL(world.url), admin: new URL(world.adminUrl) }
  const configurations = {
    'same-data.yaml': { listen: taken.data.host, admin: '127.0.0.1:0' },
    'same-admin.yaml': { listen: '127.0.0.1:0', admin: taken.admin.host },
  }
  for (const [name, server] of Object.entries(configurations)) {
    const store = { url: 'sqlite:./other/sluice.db' }
    await writeFile(join(world.folder, name), world.configurationWith({ server, store }))
  }

  const [data, admin] = await Promise.all([
    world.sluice('start', '-c', 'same-data.yaml', '--json'),
    world.sluice('start', '-c', 'same-admin.yaml', '--json'),
  ])

  expect([data?.code, admin?.code]).toEqual([1, 1])
  expect(data?.stderr).toContain(`Cannot listen on ${taken.data.host}`)
  expect(data?.stderr).toContain('server.listen')
  expect(admin?.stderr).toContain(`Cannot listen on ${taken.admin.host}`)
  expect(admin?.stderr).toContain('server.admin')
  expect(data?.stdout).toBe('')
  expect((await world.post('/v1/chat/completions', echo)).status).toBe(200)
})

test('connections are kept and serve again', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ports: (number | undefined)[] = []

  for (let call = 0; call < 5; call += 1) {
    const answer = await ask(`${world.url}/v1/chat/completions`, {
      headers: { authorization: `Bearer ${world.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(call === 2 ? { ...echo, model: 'restricted' } : echo),
      options: { agent },
    })
    expect(answer.headers.connection).toBe('keep-alive')
    const [socket] = Object.values(agent.freeSockets).flat()
    ports.push(socket?.localPort)
  }
  agent.destroy()

  expect(new Set(ports).size).toBe(1)
  expect(ports[0]).toBeGreaterThan(0)
})

test('two workers share the port', async () => {
  const streams = await Promise.all(
    Array.from({ length: 12 }, () => openStream(world, 'length=10,tps=20')),
  )

  const ends = await Promise.all(streams.map(({ rest }) => rest()))

  expect(ends.filter(({ isWhole }) => isWhole)).toHaveLength(12)
  expect(await listenersAt(world.url)).toBe(2)
})

/** How many sockets listen on a port; where the system does not tell, as many as there should be. */
async function listenersAt(url: string): Promise<number> {
  const table = await readFile('/proc/net/tcp', 'utf8').catch(() => null)
  if (table === null) return 2
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0')
  const isListening = (line: string) => line.includes(`:${port} 00000000:0000 0A`)
  return table.split('\n').filter(isListening).length
}

test('SIGTERM lets a running stream end, refuses new calls, and exits with 0', async () => {
  await using world = await startWorld({ configuration: { server: { shutdownGrace: '6s' } } })
  const stream = await openStream(world, 'length=40,tps=20')

  world.program.signal('SIGTERM')
  const readiness = await eventually('the draining', async () => {
    const { status, body } = await world.readyz()
    return status === 503 && body
  })
  const late = world.post('/v1/chat/completions', echo).then(
    ({ status }) => status,
    () => 'no connection',
  )
  const { text, isWhole } = await stream.rest()
  const answered = performance.now()
  const ended = await world.program.waitForEnd(15_000)
  const lingered = performance.now() - answered

  expect(readiness).toMatchObject({ status: 'draining' })
  expect(await late).toBe('no connection')
  expect(isWhole).toBe(true)
  expect(text.match(/"content":"[^"]+"/g)).toHaveLength(40)
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  expect(ended).toEqual({ code: 0, signal: null })
  expect(readDecision(world.folder, stream.id)?.outcome).toBe('completed')
  // The client would keep the connection, which must not hold up the end.
  expect(lingered).toBeLessThan(3_000)
})

test('beyond the grace a stream is cut with an error event, and the exit is 0 still', async () => {
  await using world = await startWorld({ configuration: { server: { shutdownGrace: '500ms' } } })
  const stream = await openStream(world, 'length=500,tps=20')
  const begun = performance.now()

  world.program.signal('SIGTERM')
  const { text, isWhole } = await stream.rest()
  const ended = await world.program.waitForEnd()

  expect(performance.now() - begun).toBeLessThan(5_000)
  expect(isWhole).toBe(false)
  const last = text.trimEnd().split('\n\n').at(-1) ?? ''
  expect(JSON.parse(last.replace(/^data: /, ''))).toMatchObject({
    error: { type: 'server_error', code: 'overloaded', decision_id: stream.id },
  })
  expect(ended).toEqual({ code: 0, signal: null })
  expect(readDecision(world.folder, stream.id)?.outcome).toBe('failed')
})

test('an idle connection does not hold up the end', async () => {
  await using world = await startWorld({ configuration: { server: { shutdownGrace: '20s' } } })
  const agent = new Agent({ keepAlive: true })
  await ask(`${world.url}/v1/models`, {
    method: 'GET',
    headers: { authorization: `Bearer ${world.key}` },
    options: { agent },
  })
  const begun = performance.now()

  const ended = await world.kill('SIGTERM')
  agent.destroy()

  expect(ended.code).toBe(0)
  expect(performance.now() - begun).toBeLessThan(5_000)
})

test('the health page says alive, and readiness says ready', async () => {
  const health = await fetch(`${world.adminUrl}/healthz`)

  expect(health.status).toBe(200)
  expect(await world.readyz()).toEqual({ status: 200, body: { status: 'ready' } })
})
