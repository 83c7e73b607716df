import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What can be said of the Dockerfile without a builder. */

interface Instruction {
  readonly name: string
  readonly rest: string
}

/** Everything that is wrong, in sentences. */
export function dockerfileFaults(text: string, root: string): readonly string[] {
  const instructions = parse(text)
  const of = (name: string) => instructions.filter((it) => it.name === name).map((it) => it.rest)
  const lastStage = instructions.slice(instructions.findLastIndex((it) => it.name === 'FROM'))
  const inLastStage = (name: string) => lastStage.filter((it) => it.name === name)

  const faults: string[] = []
  const refuse = (isFault: boolean, fault: string) => {
    if (isFault) faults.push(fault)
  }
  const stages = of('FROM').flatMap((from) => /\sAS\s+(\S+)$/i.exec(from)?.[1] ?? [])
  for (const from of of('FROM')) {
    const [image = ''] = from.split(/\s+/)
    refuse(!stages.includes(image) && !/^node:24\b/.test(image), `FROM ${image} is not Node 24.`)
  }
  refuse(of('FROM').length < 2, 'There is one stage only: what builds would be shipped.')
  for (const source of of('COPY').flatMap((rest) => sourcesOf(rest, stages))) {
    if (source.startsWith('--from=')) faults.push(`COPY ${source}: there is no such stage.`)
    else refuse(!exists(source, root), `COPY ${source}: there is no such file.`)
  }
  const user = inLastStage('USER').at(-1)?.rest
  refuse(user === undefined || /^(root|0)(:|$)/.test(user), 'It runs as root.')
  refuse(inLastStage('HEALTHCHECK').length === 0, 'There is no HEALTHCHECK.')
  refuse(inLastStage('VOLUME').length === 0, 'There is no VOLUME for data.')
  for (const port of ['8080', '8081']) {
    const exposed = inLastStage('EXPOSE').some(({ rest }) => rest.split(/\s+/).includes(port))
    refuse(!exposed, `Port ${port} is not exposed.`)
  }
  for (const name of ['ENTRYPOINT', 'CMD']) {
    const isExec = inLastStage(name).every(({ rest }) => rest.startsWith('['))
    refuse(!isExec, `${name} has no exec form: a shell would keep signals for itself.`)
  }
  refuse(inLastStage('CMD').length === 0, 'There is no CMD.')
  return faults
}

function parse(text: string): readonly Instruction[] {
  return text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => /^\s*([A-Z]+)\s+(.*)$/.exec(line))
    .flatMap((match) => (match === null ? [] : [{ name: match[1] ?? '', rest: match[2] ?? '' }]))
    .map(({ name, rest }) => ({ name, rest: rest.trim().replaceAll(/\s+/g, ' ') }))
}

/** What a COPY takes from the checkout; from another stage only the stage can be checked. */
function sourcesOf(rest: string, stages: readonly string[]): readonly string[] {
  const words = rest.split(' ')
  const from = words.find((word) => word.startsWith('--from='))
  if (from !== undefined) return stages.includes(from.slice('--from='.length)) ? [] : [from]
  return words.filter((word) => !word.startsWith('--')).slice(0, -1)
}

function exists(source: string, root: string): boolean {
  return source.includes('*')
    ? globSync(source, { cwd: root }).length > 0
    : existsSync(join(root, source))
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..')
  const faults = dockerfileFaults(readFileSync(join(root, 'Dockerfile'), 'utf8'), root)
  for (const fault of faults) console.error(`Dockerfile: ${fault}`)
  process.exitCode = faults.length === 0 ? 0 : 1
}
