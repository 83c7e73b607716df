import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  /** The cores that it may run on, as `taskset` takes them; absent: all. */
  readonly cores?: string | undefined
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Whether to open a channel for messages, as between two Nodes. */
  readonly messages?: boolean
}

/** A started program, in a process group of its own whose id is its pid. */
export interface Running {
  readonly pid: number
  readonly process: ChildProcess
  /** The last of what it printed, for messages. */
  readonly output: () => string
  readonly stop: () => Promise<void>
}

const outputKept = 64 * 1024
const running = new Set<Running>()
const stopping = new WeakSet<Running>()
let deaths: string[] = []

/** Starts a program that runs until it is stopped. */
export function start(program: Program): Running {
  const entry = launch(program)
  entry.process.on('close', (code, signal) => {
    if (stopping.has(entry)) return
    deaths.push(
      `${program.args.join(' ')} ended (${signal ?? code}): ${entry.output().slice(-1000)}`,
    )
  })
  return entry
}

/** Programs that ended although nobody stopped them, since the last `stopAll`. */
export function unexpectedDeaths(): readonly string[] {
  return deaths
}

function launch(program: Program): Running {
  const { command, args, cores, cwd, env, messages } = program
  const pinned =
    cores === undefined ? [command, ...args] : ['taskset', '-c', cores, command, ...args]
  const [file = command, ...rest] = pinned
  const child = spawn(file, rest, {
    cwd,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...(messages ? (['ipc'] as const) : [])],
  })
  let output = ''
  const keep = (text: string): void => {
    output = (output + text).slice(-outputKept)
  }
  child.stdout?.setEncoding('utf8').on('data', keep)
  child.stderr?.setEncoding('utf8').on('data', keep)
  child.on('error', (error) => keep(error.message))

  const entry: Running = {
    pid: child.pid ?? 0,
    process: child,
    output: () => output,
    stop: () => stop(entry),
  }
  running.add(entry)
  child.on('close', () => running.delete(entry))
  return entry
}

/** Runs a program that ends by itself, and gives what it printed. */
export async function run(program: Program, limitSeconds: number): Promise<string> {
  const child = launch(program)
  const ended = once(child.process, 'close').then(([code]) => ({ code: code as number | null }))
  const late = sleep(limitSeconds * 1000, undefined, { ref: false })
  const result = await Promise.race([ended, late])
  if (result === undefined) await child.stop()
  if (result?.code !== 0) {
    const how = result === undefined ? `did not end in ${limitSeconds} s` : 'failed'
    throw new Error(`${program.command} ${how}: ${child.output().slice(-2000)}`)
  }
  return child.output()
}

/** Whether a program is installed. */
export async function isInstalled(command: string, versionFlag: string): Promise<boolean> {
  const child = launch({ command, args: [versionFlag] })
  const found = await new Promise<boolean>((resolve) => {
    child.process.on('error', () => resolve(false)).on('close', () => resolve(true))
  })
  running.delete(child)
  return found
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No port to listen on.')
  return address.port
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map(stop))
  deaths = []
}

/** For `process.on('exit')`, where nothing can be waited for. */
export function killAll(): void {
  for (const { pid } of running) signal(pid, 'SIGKILL')
}

async function stop(entry: Running): Promise<void> {
  const { pid, process: child } = entry
  stopping.add(entry)
  if (child.exitCode !== null || child.signalCode !== null || pid === 0) return
  const closed = once(child, 'close')
  signal(pid, 'SIGTERM')
  const inTime = await Promise.race([closed, sleep(5000, undefined, { ref: false })])
  if (inTime !== undefined) return
  signal(pid, 'SIGKILL')
  await Promise.race([closed, sleep(5000, undefined, { ref: false })])
}

function signal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name)
  } catch {
    // it has ended
  }
}
