import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../../support/eventually.ts'
import { merge, type Part } from '../../support/merge.ts'
import { startWorld, type World } from '../../support/world.ts'
import { startBystander, type Bystander } from './bystander.ts'

/** A line of the decision log. */
export interface LogLine {
  readonly id: string
  readonly verdict: string
  readonly code: string | null
  readonly outcome: string
  readonly app: string | null
  readonly model: string | null
  readonly target: string | null
  readonly status: number | null
}

/** A world in which things go wrong, and a stream beside it that must not notice. */
export interface FaultWorld extends World {
  /** All decisions that were logged so far: reading a file is cheaper than `sluice explain`. */
  logLines(): Promise<LogLine[]>
  /** Waits for a decision in the log. */
  logLine(isIt: (line: LogLine) => boolean): Promise<LogLine>
  /** One value of `/metrics`, summed over its labels. */
  metric(name: string): Promise<number>
  /** The resident memory of the gateway's process, in MiB. */
  residentMebibytes(): Promise<number>
  /** Fails unless the process, an exchange that is open, and new calls all go on. */
  assertLivesOn(): Promise<void>
}

export interface FaultWorldOptions {
  readonly configuration?: Part
  /** Where the providers `raw` and `raw-anthropic` are. */
  readonly rawUpstream?: string
  /** False where limits leave no room for a stream beside the test. */
  readonly bystander?: boolean
}

export async function startFaultWorld(options: FaultWorldOptions = {}): Promise<FaultWorld> {
  const configuration = merge(baseOf(options.rawUpstream), options.configuration ?? {})
  const world = await startWorld({ configuration })
  const bystander = options.bystander === false ? null : await startBystander(world)

  const logLines = async () => {
    const text = await readFile(join(world.folder, 'decisions.log'), 'utf8').catch(() => '')
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine)
  }
  const more = {
    logLines,
    logLine: (isIt: (line: LogLine) => boolean) =>
      eventually('the line of the decision log', async () => (await logLines()).find(isIt)),
    async metric(name: string) {
      const lines = (await world.metrics()).split('\n')
      const values = lines.filter((line) => new RegExp(`^${name}[{ ]`).test(line))
      return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
    },
    async residentMebibytes() {
      const status = await readFile(`/proc/${world.pid}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024
    },
    assertLivesOn: () => assertLivesOn(world, bystander),
    async [Symbol.asyncDispose]() {
      await bystander?.leave()
      await world[Symbol.asyncDispose]()
    },
  }
  // Over the world, not copied from it: its addresses change when it is started again.
  return Object.assign(Object.create(world) as World, more)
}

async function assertLivesOn(world: World, bystander: Bystander | null): Promise<void> {
  await bystander?.assertGoesOn()
  const control = await world.post('/v1/chat/completions', {
    model: 'chat',
    messages: [{ role: 'user', content: 'still there?' }],
  })
  const text = await control.text()
  if (control.status !== 200 || !text.includes('still there?')) {
    throw new Error(`The control call was answered ${control.status}: ${text}`)
  }
  const { stderr } = world.logs()
  if (world.program.ended() !== null || /a worker ended|uncaught|recorder ended/i.test(stderr)) {
    throw new Error(`The gateway did not come through it:\n${stderr}`)
  }
}

function baseOf(rawUpstream: string | undefined): Part {
  const raw =
    rawUpstream === undefined
      ? {}
      : {
          raw: { type: 'openai-compatible', baseUrl: `${rawUpstream}/v1`, apiKey: rawCredential },
          'raw-anthropic': { type: 'anthropic', baseUrl: rawUpstream, apiKey: rawCredential },
        }
  return {
    decisions: { log: { what: 'all', file: './decisions.log' } },
    providers: raw,
    roles: { caller: { allow: [{ models: ['chat', 'claude', 'sim-*/*', 'raw*/*'] }] } },
  }
}

/** What the gateway presents to the raw upstream: no caller may ever see it. */
export const rawCredential = 'sk-planted-raw-0123456789abcdefghij'
