import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Writes docs/reference/command-line.md from what the commands say of themselves. */

const execute = promisify(execFile)
const root = join(import.meta.dirname, '..')
const page = join(root, 'docs', 'reference', 'command-line.md')
const marks = { start: '<!-- generated: commands -->', end: '<!-- end of generated -->' }

/** The page as it should be: its own words, and between the marks the help of every command. */
export async function commandLinePage(): Promise<string> {
  const text = await readFile(page, 'utf8')
  const start = text.indexOf(marks.start)
  const end = text.indexOf(marks.end)
  if (start < 0 || end < start) throw new Error(`${page} lacks its marks.`)
  const sections = await describe([])
  const generated = sections.join('\n\n')
  return `${text.slice(0, start + marks.start.length)}\n\n${generated}\n\n${text.slice(end)}`
}

/** The help of a command, and below it that of its own commands. */
async function describe(words: readonly string[]): Promise<readonly string[]> {
  const help = await helpOf(words)
  const heading = `## \`${['sluice', ...words].join(' ')}\``
  const children = await Promise.all(subcommands(help).map((name) => describe([...words, name])))
  return [`${heading}\n\n\`\`\`text\n${help}\n\`\`\``, ...children.flat()]
}

async function helpOf(words: readonly string[]): Promise<string> {
  const main = join(root, 'packages', 'gateway', 'src', 'main.ts')
  const flags = ['--disable-warning=ExperimentalWarning', '--conditions', '@sluice/source']
  const { stdout } = await execute(process.execPath, [...flags, main, ...words, '--help'], {
    env: { ...process.env, COLUMNS: '80', NO_COLOR: '1' },
  })
  return stdout.trim()
}

function subcommands(help: string): readonly string[] {
  const [, list = ''] = help.split('\nCommands:\n')
  return [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help')
}

if (import.meta.main) await writeFile(page, await commandLinePage())
