import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  freshEnvironment,
  isOffline,
  RunningCommand,
  runShell,
} from '../scripts/test-support/terminal.ts'
import {
  copyWorkingTree,
  repositoryRoot,
  temporaryFolder,
} from '../scripts/test-support/working-copy.ts'

/** The tour of README.md, word for word, in a fresh clone, as somebody takes it who has just come. */

const installsWithin = 240_000
const startsWithin = 20_000
const decisionId = /[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}/

/** Blocks of the README that a comment `<!-- tour: name -->` marks, without their indentation. */
function tourBlocks(readme: string): ReadonlyMap<string, string> {
  const marked = /^( *)<!-- tour: (\S+) -->\n\s*```\w+\n([\s\S]*?)\n *```$/gm
  return new Map(
    [...readme.matchAll(marked)].map(([, indentation = '', name = '', text = '']) => [
      name,
      text.replaceAll(new RegExp(`^${indentation}`, 'gm'), ''),
    ]),
  )
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen({ port, host: '127.0.0.1', exclusive: true })
  const free = await Promise.race([
    once(probe, 'listening').then(() => true),
    once(probe, 'error').then(() => false),
  ])
  probe.close()
  return free
}

test("the README's tour works in a fresh clone", { timeout: 400_000 }, async (context) => {
  if (!(await isFree(8080)) || !(await isFree(8081))) {
    context.skip('Port 8080 or 8081 is busy, and the tour uses both.')
  }
  await using clone = await temporaryFolder('tour')
  const cwd = clone.path
  await copyWorkingTree(cwd)
  const blocks = tourBlocks(await readFile(join(repositoryRoot, 'README.md'), 'utf8'))
  const block = (name: string): string => {
    const text = blocks.get(name)
    if (text === undefined) throw new Error(`README.md has no block of the tour named ${name}.`)
    return text
  }
  const env = freshEnvironment()
  const shell = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await runShell(line, { cwd, env })
    expect(code, `${line}\n${stdout}\n${stderr}`).toBe(0)
    return stdout
  }
  const explain = async (id: string) => shell(block('explain').replace('<id>', id))

  await using demo = new RunningCommand('npm', ['start'], { cwd, env })
  try {
    const [key] = await demo.waitFor(/sk-sluice-\w+/, installsWithin)
    env['SLUICE_KEY'] = key
  } catch (error) {
    if (isOffline(demo.output)) context.skip('The package registry cannot be reached.')
    throw error
  }
  await demo.waitFor(/npx sluice explain/, startsWithin)

  // The line that the banner prints, as it stands there.
  const [printed] = await demo.waitFor(/curl -i .*/, startsWithin)
  expect(await shell(printed)).toContain('HTTP/1.1 200 OK')

  const whole = await shell(block('whole'))
  expect(whole).toMatch(/^HTTP\/1\.1 200 OK/)
  expect(whole).toContain('"chat.completion"')

  const streamed = await shell(block('streamed'))
  expect(streamed).toMatch(/^data: \{/)
  expect(streamed.trimEnd()).toMatch(/data: \[DONE\]$/)

  for (const name of ['openai', 'anthropic']) {
    await writeFile(join(cwd, `${name}.mjs`), block(`${name}.mjs`))
    const said = await shell(`node ${name}.mjs`)
    const greeting = `Hello, ${name === 'openai' ? 'OpenAI' : 'Anthropic'}`
    expect(said.split('\n').map((line) => line.trim())).toEqual([greeting, greeting])
  }

  const refused = await shell(block('refused'))
  expect(refused).toMatch(/^HTTP\/1\.1 403 Forbidden/)
  expect(refused).toContain('"code":"access_denied"')

  expect(await explain(idIn(whole))).toContain('It was allowed, went to demo/lorem and completed')
  expect(await explain(idIn(refused))).toContain('no rule allows model "restricted"')

  // A configuration of one's own.
  env['OPENAI_API_KEY'] = 'sk-not-used'
  const created = await shell(block('key'))
  const own = /sk-sluice-\w+/.exec(created)?.[0] ?? ''
  const digest = /\b[\da-f]{64}\b/.exec(created)?.[0] ?? ''
  await writeFile(join(cwd, 'sluice.yaml'), block('sluice.yaml').replace('0'.repeat(64), digest))
  expect(await shell(block('check'))).toContain(
    'is valid (providers: 1, models: 1, roles: 1, keys: 1)',
  )
  await demo.stop()

  env['SLUICE_KEY'] = own
  await using ours = new RunningCommand('sh', ['-c', block('start')], { cwd, env })
  await ours.waitFor(/Sluice is running/, startsWithin)
  const models = JSON.parse(await shell(block('models'))) as { data: { id: string }[] }
  expect(models.data.map(({ id }) => id)).toEqual(['chat'])
  await ours.stop()
})

function idIn(answer: string): string {
  const header = /^x-sluice-decision: (\S+)/im.exec(answer)?.[1] ?? ''
  expect(header).toMatch(decisionId)
  return header
}
