import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { type FoundDecision, findDecision } from '../decisions/find-decision.ts'
import { idTime, isRecordId } from '../decisions/record-id.ts'
import { decisionsFile } from '../store/open-database.ts'
import { printable, tellStory } from './explain-story.ts'

const DEMO_STORE = './data/sluice.db'
const DEFAULT_CONFIGURATION = './sluice.yaml'
/** A record is on disk within so long of the answer. */
const WAIT_MS = 1_000
const LOOK_EVERY_MS = 100

interface ExplainOptions {
  readonly config?: string
  readonly json?: boolean
}

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .description('Say what was decided about one exchange, and why.')
    .argument('<id>', 'the decision id, from the header x-sluice-decision or a refusal')
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--json', 'print the decision record as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  sluice explain 019a3f6e-7c1b-7d2e-9f00-5b6c7d8e9f01 -c sluice.yaml',
    )
    .action(async (id: string, options: ExplainOptions) => {
      process.exitCode = await explain(id, options)
    })
}

async function explain(text: string, options: ExplainOptions): Promise<number> {
  const id = text.trim().toLowerCase()
  if (!isRecordId(id)) {
    return complain(
      `"${printable(text)}" is no decision id. One looks like 019a3f6e-7c1b-7d2e-9f00-5b6c7d8e9f01: take it from the answer's header x-sluice-decision, or from decision_id in a refusal.`,
    )
  }
  try {
    const store = decisionsFile(await findStore(options.config))
    const found = await waitForDecision(store, id)
    if (found === null) return complain(notFound(store, id))
    console.log(
      options.json === true
        ? JSON.stringify(found.record, null, 2)
        : tellStory(found, { colour: usesColour() }),
    )
    return 0
  } catch (error) {
    return complain(error instanceof Error ? error.message : String(error))
  }
}

async function findStore(config: string | undefined): Promise<string> {
  const file = config ?? (existsSync(DEFAULT_CONFIGURATION) ? DEFAULT_CONFIGURATION : undefined)
  if (file === undefined) return DEMO_STORE
  const { loadConfiguration } = await import('../snapshot/load-configuration.ts')
  const { settings } = await loadConfiguration({ file }, process.env)
  return settings.store.file
}

/** Looks again for a while when the exchange is so young that its record may still be on its way. */
async function waitForDecision(store: string, id: string): Promise<FoundDecision | null> {
  const until = Date.now() + WAIT_MS
  for (;;) {
    const found = findDecision(store, id)
    const mayCome = Date.now() < until
    if (found !== null || !mayCome) return found
    await sleep(LOOK_EVERY_MS)
  }
}

function notFound(store: string, id: string): string {
  if (!existsSync(store)) {
    return `There is no store of decision records at ${store}. Name the gateway's configuration with -c FILE, or run this where the gateway was started.`
  }
  const time = new Date(idTime(id)).toISOString()
  return `No decision ${id} is in ${store}. Its id says that it began at ${time}: it may be older than \`decisions.retention\`, of another gateway (name its configuration with -c FILE), or among the last moments before a gateway was killed.`
}

function usesColour(): boolean {
  return process.stdout.isTTY && process.env['NO_COLOR'] === undefined
}

function complain(message: string): number {
  console.error(message)
  return 1
}
