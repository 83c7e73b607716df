import type { Command } from 'commander'
import { ConfigurationError, formatFault } from '../snapshot/fault.ts'
import type { Configuration } from '../snapshot/load-configuration.ts'
import { loadConfiguration } from '../snapshot/load-configuration.ts'

interface CheckOptions {
  readonly config: string
  readonly json?: boolean
}

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('Check a configuration, and show everything that is wrong with it.')
    .option('-c, --config <file>', 'the configuration', './sluice.yaml')
    .option('--json', 'answer in JSON')
    .addHelpText('after', '\nExample:\n  sluice check -c sluice.yaml')
    .action(check)
}

async function check({ config, json = false }: CheckOptions): Promise<void> {
  try {
    const configuration = await loadConfiguration({ file: config }, process.env)
    console.log(
      json ? JSON.stringify({ valid: true, ...summary(configuration) }) : inWords(configuration),
    )
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    const { faults } = error
    if (json) console.log(JSON.stringify({ valid: false, faults }))
    else for (const fault of faults) console.error(formatFault(fault))
    process.exitCode = 1
  }
}

function summary({ rules, directory, files }: Configuration) {
  return {
    hash: rules.hash,
    providers: Object.keys(rules.providers).length,
    models: Object.keys(rules.models).length,
    roles: Object.keys(rules.roles).length,
    keys: directory.keys,
    files,
  }
}

function inWords(configuration: Configuration): string {
  const { providers, models, roles, keys, hash } = summary(configuration)
  const counts = `providers: ${providers}, models: ${models}, roles: ${roles}, keys: ${keys}`
  return `${configuration.source} is valid (${counts})\n${hash}`
}
