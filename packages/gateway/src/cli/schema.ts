import type { Command } from 'commander'
import { configurationJsonSchema } from '../snapshot/json-schema.ts'

export function registerSchema(program: Command): void {
  program
    .command('schema')
    .description('Print the JSON Schema of the configuration, for editors.')
    .option('--json', 'answer in JSON (it always is)')
    .addHelpText(
      'after',
      '\nExample:\n  sluice schema > sluice.schema.json' +
        '\nand in the first line of sluice.yaml:\n  # yaml-language-server: $schema=./sluice.schema.json',
    )
    .action(() => {
      console.log(JSON.stringify(configurationJsonSchema(), null, 2))
    })
}
