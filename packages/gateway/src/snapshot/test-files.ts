import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ConfigurationError } from './fault.ts'
import type { Configuration } from './load-configuration.ts'
import { loadConfiguration } from './load-configuration.ts'

/** A folder of files for one test. */
export interface TestFiles extends AsyncDisposable {
  readonly directory: string
  readonly main: string
  write(name: string, text: string): Promise<string>
  load(environment?: NodeJS.ProcessEnv): Promise<Configuration>
  /** The faults as lines, without the folder. */
  faults(environment?: NodeJS.ProcessEnv): Promise<readonly string[]>
}

export async function testFiles(files: Readonly<Record<string, string>>): Promise<TestFiles> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-configuration-'))
  const main = join(directory, 'sluice.yaml')
  const write = async (name: string, text: string) => {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    return path
  }
  for (const [name, text] of Object.entries(files)) await write(name, text)

  const load = (environment: NodeJS.ProcessEnv = {}) =>
    loadConfiguration({ file: main }, environment)
  return {
    directory,
    main,
    write,
    load,
    faults: (environment) => faultsOf(load(environment), directory),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

/** The faults of one text, as lines. */
export function faultsIn(text: string, environment: NodeJS.ProcessEnv = {}) {
  return faultsOf(loadText(text, environment))
}

export function loadText(text: string, environment: NodeJS.ProcessEnv = {}) {
  const from = { text, name: 'sluice.yaml', baseDirectory: tmpdir() }
  return loadConfiguration(from, environment)
}

async function faultsOf(
  loading: Promise<Configuration>,
  directory = 'no folder',
): Promise<readonly string[]> {
  try {
    await loading
    return []
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return error.message.replaceAll(`${directory}/`, '').split('\n')
  }
}

export const smallRules = `version: 1
providers: { demo: { type: simulator } }
models: { assistant: { targets: [{ provider: demo, model: lorem }] } }
roles: { member: { allow: [{ models: [assistant] }] } }
`

export function digestOf(number: number): string {
  return number.toString(16).padStart(64, '0')
}
