import { parseArgs } from 'node:util'
import { behaviours } from './behaviours.ts'
import { startSimulator } from './simulator.ts'

const help = `Pretends to be the providers of language models: OpenAI's chat completions and Anthropic's
messages. The name of the model says how it behaves; any name that is not here is an echo:
${Object.keys(behaviours).join(', ')}.

Usage: sluice-simulator [--port 9000] [--host 127.0.0.1] [--seed 1]

  --port <number>   where to listen (9000; 0 takes any free port)
  --host <address>  which address to listen on (127.0.0.1)
  --seed <number>   what texts, ids and random cuts are drawn from (1)
  --help            this text

Example:
  sluice-simulator --port 9000
  curl http://127.0.0.1:9000/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model":"lorem;sim:length=20,tps=10","stream":true,"messages":[{"role":"user","content":"Hello"}]}'
`

try {
  await main()
} catch (error) {
  console.error(`sluice-simulator: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '9000' },
      host: { type: 'string', default: '127.0.0.1' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    console.log(help)
    return
  }
  const simulator = await startSimulator({
    host: values.host,
    port: wholeNumber('port', values.port, 65_535),
    seed: wholeNumber('seed', values.seed, 2 ** 32 - 1),
  })
  console.log(`sluice-simulator: listening on ${simulator.url}`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void simulator.close())
  }
}

function wholeNumber(name: string, text: string, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (number <= most) return number
  throw new Error(`--${name} must be a whole number from 0 to ${most}, not "${text}"`)
}
