import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startReplay, startSimulator, type ReplayOptions, type Simulator } from '@sluice/simulator'
import type { Decision } from './decision.ts'
import { eventually } from './eventually.ts'
import { merge, type Part } from './merge.ts'
import { addressesOf, runProgram, type Ended, type Program } from './program.ts'

export interface WorldOptions {
  /** Laid over the configuration that every world has; null takes a member out. */
  readonly configuration?: Part | undefined
  /** Recordings in the simulator's place. */
  readonly replay?:
    | { readonly source: Parameters<typeof startReplay>[0]; readonly options?: ReplayOptions }
    | undefined
  readonly environment?: Readonly<Record<string, string>> | undefined
  /** More files for the folder, by name. */
  readonly files?: Readonly<Record<string, string>> | undefined
}

/** A gateway as a process of its own, between the test and a simulator. */
export interface World extends AsyncDisposable {
  readonly url: string
  readonly adminUrl: string
  /** The caller's key, and its id in records. */
  readonly key: string
  readonly keyId: string
  /** The credentials that the gateway presents to its providers. */
  readonly providerKeys: { readonly openai: string; readonly anthropic: string }
  readonly simulator: Simulator
  readonly folder: string
  readonly pid: number
  /** What was started last; it may have ended. */
  readonly program: Program
  /** The text of a configuration: this world's own, with changes laid over it. */
  configurationWith(changes: Part): string
  /** Puts a whole file in the place of sluice.yaml. */
  writeConfiguration(text: string): Promise<void>
  /** Calls the data plane with the caller's key, unless the headers have a credential. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** A POST of JSON to the data plane. */
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>
  /** What `sluice explain --json` says of a decision; fails when there is none. */
  explain(id: string): Promise<Decision>
  /** Runs another command of `sluice` in the folder, to its end. */
  sluice(...args: readonly string[]): Promise<Ran>
  metrics(): Promise<string>
  readyz(): Promise<{ readonly status: number; readonly body: unknown }>
  /** Sends a signal and waits for the end of the process. */
  kill(signal?: NodeJS.Signals): Promise<Ended>
  /** Starts the gateway again in the same folder; the addresses may be new. */
  restart(): Promise<void>
  /** All that was printed by every start of this world. */
  logs(): { readonly stdout: string; readonly stderr: string }
}

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const simulator =
    options.replay === undefined
      ? await startSimulator({ record: true })
      : await startReplay(options.replay.source, { record: true, ...options.replay.options })
  const folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'))
  const key = newSecret('sk-sluice-')
  const providerKeys = {
    openai: newSecret('sk-planted-openai-'),
    anthropic: newSecret('sk-planted-anthropic-'),
  }
  const base = baseConfiguration({ simulator, providerKeys, key })
  const own = merge(base, options.configuration ?? {})
  await write(folder, { ...options.files, 'sluice.yaml': textOf(own) })

  const gateway = new Gateway(folder, options.environment)
  const dispose = async () => {
    gateway.program.signal('SIGKILL')
    await gateway.program.waitForEnd()
    await simulator.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  try {
    await gateway.start()
  } catch (error) {
    await dispose()
    throw error
  }

  const fetchAt = (path: string, init: RequestInit = {}) =>
    fetch(`${gateway.url}${path}`, { ...init, headers: withCredential(init.headers, key) })
  const sluice = (...args: readonly string[]) => run(args, { folder, ...options })

  return {
    get url() {
      return gateway.url
    },
    get adminUrl() {
      return gateway.adminUrl
    },
    get pid() {
      return gateway.program.pid
    },
    get program() {
      return gateway.program
    },
    key,
    keyId: keyId(key),
    providerKeys,
    simulator,
    folder,
    configurationWith: (changes) => textOf(merge(own, changes)),
    writeConfiguration: (text) => write(folder, { 'sluice.yaml': text }),
    fetch: fetchAt,
    post: (path, body, headers = {}) =>
      fetchAt(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    async explain(id) {
      const { code, stdout, stderr } = await sluice('explain', id, '--json')
      if (code !== 0) throw new Error(`sluice explain ${id} ended with ${code}: ${stderr}`)
      return JSON.parse(stdout) as Decision
    },
    sluice,
    async metrics() {
      const response = await fetch(`${gateway.adminUrl}/metrics`)
      return response.text()
    },
    async readyz() {
      const response = await fetch(`${gateway.adminUrl}/readyz`)
      return { status: response.status, body: await response.json() }
    },
    async kill(signal = 'SIGTERM') {
      gateway.program.signal(signal)
      return gateway.program.waitForEnd()
    },
    restart: () => gateway.start(),
    logs: () => gateway.logs(),
    [Symbol.asyncDispose]: dispose,
  }
}

/** The process of the gateway, which a test may end and start again. */
class Gateway {
  readonly #programs: Program[] = []
  readonly #start: () => Program
  url = ''
  adminUrl = ''

  constructor(folder: string, environment: WorldOptions['environment']) {
    this.#start = () =>
      runProgram(['start', '-c', 'sluice.yaml', '--json'], { folder, environment })
  }

  get program(): Program {
    const last = this.#programs.at(-1)
    if (last === undefined) throw new Error('The gateway was not started.')
    return last
  }

  async start(): Promise<void> {
    this.#programs.push(this.#start())
    const { url, admin } = await addressesOf(this.program)
    this.url = url
    this.adminUrl = admin
    await eventually('readiness', async () => (await fetch(`${admin}/readyz`)).ok)
  }

  logs() {
    return {
      stdout: this.#programs.map((program) => program.stdout()).join(''),
      stderr: this.#programs.map((program) => program.stderr()).join(''),
    }
  }
}

function baseConfiguration(parts: {
  readonly simulator: Simulator
  readonly providerKeys: World['providerKeys']
  readonly key: string
}): Part {
  const { simulator, providerKeys, key } = parts
  return {
    version: 1,
    server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0', workers: 2, shutdownGrace: '2s' },
    providers: {
      'sim-openai': {
        type: 'openai-compatible',
        baseUrl: `${simulator.url}/v1`,
        apiKey: providerKeys.openai,
      },
      'sim-anthropic': {
        type: 'anthropic',
        baseUrl: simulator.url,
        apiKey: providerKeys.anthropic,
      },
    },
    models: {
      chat: { targets: [{ provider: 'sim-openai', model: 'echo' }] },
      claude: { targets: [{ provider: 'sim-anthropic', model: 'echo' }] },
      // No role allows this one.
      restricted: { targets: [{ provider: 'sim-openai', model: 'echo' }] },
    },
    roles: { caller: { allow: [{ models: ['chat', 'claude', 'sim-*/*'] }] } },
    tenants: {
      bank: {
        teams: { support: {} },
        apps: {
          desk: { team: 'support', roles: ['caller'], keys: [{ sha256: digestOf(key) }] },
        },
      },
    },
  }
}

/** A key or credential that no other world has. */
export function newSecret(prefix: string): string {
  return prefix + randomBytes(20).toString('hex')
}

/** What a configuration says of a key. */
export function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** What records call a key that a file declares. */
function keyId(key: string): string {
  return `key_${digestOf(key).slice(0, 12)}`
}

// JSON is YAML.
function textOf(configuration: Part): string {
  return JSON.stringify(configuration, null, 2)
}

/** Each file comes whole: it is written beside its place and then moved there. */
async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const beside = join(folder, `.${name}.new`)
    await writeFile(beside, text)
    await rename(beside, join(folder, name))
  }
}

function withCredential(given: RequestInit['headers'], key: string): Headers {
  const headers = new Headers(given)
  const credentials = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key']
  if (!credentials.some((name) => headers.has(name))) headers.set('authorization', `Bearer ${key}`)
  return headers
}

async function run(
  args: readonly string[],
  options: { readonly folder: string } & Pick<WorldOptions, 'environment'>,
): Promise<Ran> {
  const program = runProgram(args, options)
  const { code } = await program.waitForEnd(20_000)
  return { code, stdout: program.stdout(), stderr: program.stderr() }
}
