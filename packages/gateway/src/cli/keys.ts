import type { Command } from 'commander'
import { newKey } from '../snapshot/new-key.ts'

interface CreateOptions {
  readonly app: string
  readonly json?: boolean
}

export function registerKeys(program: Command): void {
  program
    .command('keys')
    .description('Keys that callers present.')
    .command('create')
    .description('Make a new key; its secret is shown here and nowhere else.')
    .option('--app <name>', 'the app that will present it', 'my-app')
    .option('--json', 'answer in JSON')
    .addHelpText('after', '\nExample:\n  sluice keys create --app agent-desk')
    .action(create)
}

function create({ app, json = false }: CreateOptions): void {
  const { key, digest } = newKey()
  if (json) {
    console.log(JSON.stringify({ app, key, sha256: digest }))
    return
  }
  console.log(`Key (give it to the caller; it cannot be shown again):
  ${key}

SHA-256 of the key (put it into the configuration):
  ${digest}

    apps:
      ${nameInYaml(app)}:
        keys:
          - sha256: "${digest}"`)
}

/** Quoted where YAML would not read it as this text. */
function nameInYaml(name: string): string {
  return /^[A-Za-z][\w-]*$/.test(name) && !/^(true|false|null)$/i.test(name)
    ? name
    : JSON.stringify(name)
}
