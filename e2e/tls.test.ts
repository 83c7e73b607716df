import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, type Answer } from './support/ask.ts'
import { startWorld, type World } from './support/world.ts'

const run = promisify(execFile)

const hasOpenssl = await run('openssl', ['version']).then(
  () => true,
  () => false,
)
if (!hasOpenssl) process.stdout.write('Skipped: there is no openssl to make certificates with.\n')

let folder: string

/** A private authority, and what it signed for the server, a client and an upstream. */
beforeAll(async () => {
  if (!hasOpenssl) return
  folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-tls-'))
  await Promise.all([authority('ca'), authority('other-ca')])
  await Promise.all([
    signed('server', 'ca'),
    signed('client', 'ca'),
    signed('stranger', 'other-ca'),
  ])
})
afterAll(async () => {
  if (hasOpenssl) await rm(folder, { recursive: true, force: true })
})

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

async function authority(name: string): Promise<void> {
  const made = ['-x509', '-days', '2', '-subj', `/CN=${name}`]
  await openssl('req', ...key, ...made, '-keyout', `${name}.key`, '-out', `${name}.pem`)
}

async function signed(name: string, by: string): Promise<void> {
  const request = ['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`]
  await openssl('req', ...key, ...request)
  await writeFile(join(folder, `${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  const signer = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-set_serial', String(serial++)]
  const signing = ['-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`]
  await openssl('x509', '-req', '-in', `${name}.csr`, ...signer, ...signing)
}

let serial = 1000
const openssl = (...args: readonly string[]) => run('openssl', args, { cwd: folder })
const path = (name: string) => join(folder, name)
const pem = (name: string) => readFile(path(name), 'utf8')

async function call(
  world: World,
  options: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly maxVersion?: 'TLSv1.2'
  },
  model = 'chat',
): Promise<Answer> {
  return ask(`${world.url}/v1/chat/completions`, {
    headers: { authorization: `Bearer ${world.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] }),
    options: { ...options, agent: false },
  })
}

function serverTls(more: object = {}) {
  const files = { certFile: path('server.pem'), keyFile: path('server.key') }
  return { configuration: { server: { workers: 1, tls: { ...files, ...more } } } }
}

describe.skipIf(!hasOpenssl)('the gateway’s own TLS', () => {
  test('answers over https, and the record says with which version and cipher', async () => {
    await using world = await startWorld(serverTls({ minVersion: 'TLSv1.3' }))

    const answer = await call(world, { ca: await pem('ca.pem') })
    const old = call(world, { ca: await pem('ca.pem'), maxVersion: 'TLSv1.2' })

    expect(world.url).toMatch(/^https:/)
    expect(answer.status).toBe(200)
    await expect(old).rejects.toThrow()
    const record = await world.explain(String(answer.headers['x-sluice-decision']))
    expect(record.request.tls).toEqual({
      version: 'TLSv1.3',
      cipher: expect.stringMatching(/^TLS_/),
    })
  })

  test('takes an older version where that is allowed', async () => {
    await using world = await startWorld(serverTls({ minVersion: 'TLSv1.2' }))

    const answer = await call(world, { ca: await pem('ca.pem'), maxVersion: 'TLSv1.2' })

    expect(answer.status).toBe(200)
  })

  test('with clientAuth: require talks only to those whom the authority knows', async () => {
    await using world = await startWorld(
      serverTls({ clientAuth: 'require', clientCaFile: path('ca.pem') }),
    )
    const ca = await pem('ca.pem')
    const client = { ca, cert: await pem('client.pem'), key: await pem('client.key') }
    const stranger = { ca, cert: await pem('stranger.pem'), key: await pem('stranger.key') }

    const answer = await call(world, client)

    expect(answer.status).toBe(200)
    await expect(call(world, { ca })).rejects.toThrow()
    await expect(call(world, stranger)).rejects.toThrow()
  })

  test('with clientAuth: request talks to those without a certificate too', async () => {
    await using world = await startWorld(
      serverTls({ clientAuth: 'request', clientCaFile: path('ca.pem') }),
    )
    const ca = await pem('ca.pem')

    const bare = await call(world, { ca })
    const known = await call(world, {
      ca,
      cert: await pem('client.pem'),
      key: await pem('client.key'),
    })

    expect([bare.status, known.status]).toEqual([200, 200])
  })

  test('is refused at the start where a file is missing or the key is of another certificate', async () => {
    await using world = await startWorld()
    const configure = async (name: string, tls: object) => {
      const text = world.configurationWith({ server: { tls } })
      await writeFile(join(world.folder, name), text)
      return world.sluice('check', '-c', name)
    }

    const missing = await configure('missing.yaml', {
      certFile: path('nothing.pem'),
      keyFile: path('server.key'),
    })
    const other = await configure('other.yaml', {
      certFile: path('server.pem'),
      keyFile: path('client.key'),
    })

    expect([missing.code, other.code]).toEqual([1, 1])
    expect(missing.stdout + missing.stderr).toMatch(/missing\.yaml:\d+:\d+/)
    expect(other.stdout + other.stderr).toMatch(/other\.yaml:\d+:\d+/)
  })
})

describe.skipIf(!hasOpenssl)('the TLS of a provider', () => {
  let upstream: Server
  let baseUrl: string
  const seen: { authorized: boolean }[] = []

  beforeAll(async () => {
    if (!hasOpenssl) return
    const files = { cert: await pem('server.pem'), key: await pem('server.key') }
    const ca = await pem('ca.pem')
    const asking = { requestCert: true, rejectUnauthorized: false, ca }
    upstream = createServer({ ...files, ...asking }, (request, response) => {
      seen.push({
        authorized: 'authorized' in request.socket && request.socket.authorized === true,
      })
      request.resume()
      response.setHeader('content-type', 'application/json')
      response.end('{"object":"chat.completion","model":"m","choices":[]}')
    })
    upstream.listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    baseUrl = `https://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`
  })
  afterAll(() => {
    if (!hasOpenssl) return
    upstream.close()
    upstream.closeAllConnections()
  })

  test('trusts the authority that is named, presents a certificate, and trusts no other', async () => {
    const provider = (tls: object) => ({ type: 'openai-compatible', baseUrl, apiKey: 'x', ...tls })
    const caFile = path('ca.pem')
    const pair = { certFile: path('client.pem'), keyFile: path('client.key') }
    await using world = await startWorld({
      configuration: {
        providers: {
          trusting: provider({ tls: { caFile } }),
          presenting: provider({ tls: { caFile, ...pair } }),
          mistaken: provider({ tls: { caFile: path('other-ca.pem') } }),
          unaware: provider({}),
        },
        roles: { caller: { allow: [{ models: ['*'] }] } },
      },
    })
    const outcome = async (name: string) => {
      const answer = await call(world, {}, `${name}/m`)
      return { status: answer.status, text: answer.text }
    }

    const trusting = await outcome('trusting')
    const presenting = await outcome('presenting')
    const others = [await outcome('mistaken'), await outcome('unaware')]

    expect([trusting.status, presenting.status]).toEqual([200, 200])
    expect(seen).toEqual([{ authorized: false }, { authorized: true }])
    for (const { status, text } of others) {
      expect(status).toBe(502)
      expect(text).toContain('"code":"upstream_failed"')
      expect(text).not.toMatch(/127\.0\.0\.1|certificate|issuer/i)
    }
  })
})
