import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** How long a program that was asked to stop may take before it is killed. */
const stopWithinMs = 20_000

/**
 * The environment of somebody who opens a terminal: what npm and the test runner put into theirs
 * is taken out, so that nothing of this checkout is found by chance.
 */
export function freshEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !isOurs(name))
  const path = (process.env['PATH'] ?? '')
    .split(':')
    .filter((folder) => !/node_modules|node-gyp-bin/.test(folder))
    .join(':')
  return { ...Object.fromEntries(kept), ...patience, PATH: path }
}

/** What npm's cache holds is not asked for again, and a registry out of reach is soon given up. */
const patience = {
  npm_config_prefer_offline: 'true',
  npm_config_fetch_retries: '1',
  npm_config_fetch_retry_mintimeout: '1000',
}

function isOurs(name: string): boolean {
  return /^(npm_(lifecycle|package|node|execpath|command|config_(local|user_agent))|VITEST|NODE_(ENV|OPTIONS|PATH|CHANNEL)|INIT_CWD$|NODE$|TEST$)/.test(
    name,
  )
}

interface TerminalOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/** A command that runs while a test goes on, with whatever it starts itself. */
export class RunningCommand {
  readonly #child: ChildProcess
  #output = ''
  #ended = false

  constructor(command: string, parameters: readonly string[], { cwd, env }: TerminalOptions) {
    // A process group of its own, as a terminal gives it one: signals reach all of it.
    this.#child = spawn(command, parameters, {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child.on('exit', () => (this.#ended = true))
    this.#child.on('error', (error) => {
      this.#output += error.message
      this.#ended = true
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text))
    }
  }

  /** Everything that it has said so far, on both streams. */
  get output(): string {
    return this.#output
  }

  get hasEnded(): boolean {
    return this.#ended
  }

  /** The first match of its output; rejects when it ends or says nothing of the kind in time. */
  async waitFor(pattern: RegExp, withinMs: number): Promise<RegExpExecArray> {
    const until = Date.now() + withinMs
    for (;;) {
      const match = pattern.exec(this.#output)
      if (match !== null) return match
      if (this.#ended || Date.now() > until) {
        const what = this.#ended ? 'ended' : `said nothing of the kind within ${withinMs} ms`
        throw new Error(`The program ${what}; waited for ${pattern.source}:\n${this.#output}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async stop(): Promise<void> {
    if (this.#ended || this.#child.pid === undefined) return
    const exit = once(this.#child, 'exit')
    this.#signal('SIGINT')
    const timer = setTimeout(() => this.#signal('SIGKILL'), stopWithinMs)
    await exit
    clearTimeout(timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal)
    } catch {
      // It ended in the same moment.
    }
  }
}

export interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a line of shell, as somebody types it, to its end. */
export async function runShell(
  line: string,
  { cwd, env, withinMs = 30_000 }: TerminalOptions & { readonly withinMs?: number },
): Promise<Result> {
  const child = spawn('sh', ['-c', line], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), withinMs)
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (texts[name] += text))
  }
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { code, ...texts }
}

/** Whether an install failed because no registry could be reached, which says nothing about us. */
export function isOffline(output: string): boolean {
  return /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT/.test(
    output,
  )
}
