import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { registerCheck } from './cli/check.ts'
import { registerExplain } from './cli/explain.ts'
import { registerKeys } from './cli/keys.ts'
import { registerSchema } from './cli/schema.ts'
import { registerStart } from './cli/start.ts'

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const program = new Command('sluice')
  .description('The open gateway that every call to an AI model passes through.')
  .version(manifest.version)
  .showSuggestionAfterError()

registerStart(program)
registerCheck(program)
registerSchema(program)
registerKeys(program)
registerExplain(program)

await program.parseAsync()
