import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { eventually, within } from './eventually.ts'

const main = fileURLToPath(new URL('../../packages/gateway/src/main.ts', import.meta.url))
// The same source is started some hundred times: what node makes of it is kept.
const compiled = fileURLToPath(new URL('../../node_modules/.cache/sluice-e2e', import.meta.url))
const nodeFlags = ['--conditions', '@sluice/source', '--disable-warning=ExperimentalWarning']

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** The gateway's own program, running. */
export interface Program {
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  readonly ended: () => Ended | null
  /** Waits for the end; it is an error if it does not come. */
  waitForEnd(limit?: number): Promise<Ended>
  signal(signal: NodeJS.Signals): void
}

export interface ProgramOptions {
  readonly folder: string
  readonly environment?: Readonly<Record<string, string>> | undefined
}

const alive = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Runs `sluice` with these arguments, as a process of its own that sees nothing of ours. */
export function runProgram(args: readonly string[], options: ProgramOptions): Program {
  const child = spawn(process.execPath, [...nodeFlags, main, ...args], {
    cwd: options.folder,
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: compiled, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  alive.add(child)
  let end: Ended | null = null
  const ended = once(child, 'close').then(([code, signal]) => {
    alive.delete(child)
    end = { code: code as number | null, signal: signal as NodeJS.Signals | null }
    return end
  })
  const stdout = gather(child.stdout)
  const stderr = gather(child.stderr)
  return {
    pid: child.pid ?? 0,
    stdout,
    stderr,
    ended: () => end,
    waitForEnd: (limit = 10_000) => within(limit, `the end of sluice ${args.join(' ')}`, ended),
    signal: (signal) => void child.kill(signal),
  }
}

function gather(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString()
}

export interface Addresses {
  readonly url: string
  readonly admin: string
}

/** The addresses that `start --json` prints once the gateway accepts connections. */
export async function addressesOf(program: Program, limit = 20_000): Promise<Addresses> {
  const line = await eventually(
    'the line with the addresses',
    () => {
      if (program.ended() !== null) {
        throw new Error(`The gateway did not start:\n${program.stderr()}${program.stdout()}`)
      }
      return program
        .stdout()
        .split('\n')
        .slice(0, -1)
        .find((text) => text.startsWith('{"url"'))
    },
    { within: limit },
  )
  return JSON.parse(line) as Addresses
}
