import type { Command } from 'commander'
import { createGateway, type Gateway } from '../gateway.ts'
import { demoConfiguration } from '../snapshot/demo-configuration.ts'
import { StartError } from '../workers/claim-port.ts'
import { printFault } from './print-fault.ts'

export function registerStart(program: Command): void {
  program
    .command('start')
    .description('Run the gateway: with a configuration, or as a demo with the built-in simulator.')
    .option('-c, --config <file>', 'the configuration; without it, the demo runs')
    .option('--json', 'print the addresses as JSON')
    .addHelpText('after', '\nExamples:\n  sluice start\n  sluice start -c sluice.yaml')
    .action(async (options: { config?: string; json?: boolean }) => {
      try {
        await start(options)
      } catch (error) {
        printFault(error)
        process.exitCode = 1
        if (!(error instanceof StartError)) process.exit(1)
      }
    })
}

async function start({ config, json }: { config?: string; json?: boolean }): Promise<void> {
  const demo = config === undefined ? demoConfiguration() : null
  const gateway = await createGateway({
    source:
      demo === null
        ? { file: config ?? '' }
        : { text: demo.text, name: 'demo', baseDirectory: process.cwd() },
    environment: process.env,
  })
  stopOnSignals(gateway)
  if (json === true) {
    const key = demo === null ? {} : { key: demo.key }
    console.log(JSON.stringify({ url: gateway.url, admin: gateway.adminUrl, ...key }))
  } else console.log(demo === null ? banner(gateway) : demoBanner(gateway, demo.key))
}

/** A terminal signals every process of a group, and a launcher hands the signal on: that is one. */
const sameSignalMs = 500

function stopOnSignals(gateway: Gateway): void {
  let stoppingSince: number | null = null
  const stop = () => {
    if (stoppingSince === null) {
      stoppingSince = performance.now()
      gateway.close().then(
        () => process.exit(0),
        () => process.exit(1),
      )
    } else if (performance.now() - stoppingSince > sameSignalMs) process.exit(130)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', () => void gateway.reload('SIGHUP'))
  if (process.env['npm_lifecycle_event'] !== undefined) stopWithParent(stop)
}

/** npm ends without telling what it started; a gateway that nobody owns would hold the ports. */
function stopWithParent(stop: () => void): void {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    stop()
  }, 1_000).unref()
}

function banner({ url, adminUrl }: Gateway): string {
  return `
Sluice is running.

  Models          ${url}/v1
  Health, metrics ${adminUrl}/readyz  ${adminUrl}/metrics
`
}

function demoBanner(gateway: Gateway, key: string): string {
  const { url } = gateway
  return `${banner(gateway)}
  This is the demo: the built-in simulator answers, and nothing leaves this machine.
  Your key, new at each start: ${key}

Ask a model:

  curl -i ${url}/v1/chat/completions -H 'authorization: Bearer ${key}' -H 'content-type: application/json' -d '{"model":"assistant","messages":[{"role":"user","content":"Hello"}]}'

Ask one that your key does not allow, with "model":"restricted" in the same line. Then read why
any answer is as it is (the id is in its header x-sluice-decision):

  npx sluice explain <id>

With your own configuration: npm start -- -c sluice.yaml
`
}
