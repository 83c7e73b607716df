import type { z } from 'zod'
import { didYouMean } from '../lib/suggest.ts'
import type { ConfigurationValues } from './configuration-schema.ts'
import { configurationSchema } from './configuration-schema.ts'
import type { Path, Problem } from './fault.ts'
import { formatPath } from './fault.ts'
import {
  isMemberNotSupported,
  isValueNotSupported,
  membersNotSupportedBelow,
} from './not-supported.ts'
import { membersAt } from './schema-members.ts'
import { isMap, valueAt } from './tree.ts'

/** Writes a value into a message, unless it is a secret. */
export type Show = (value: unknown, path: Path) => string

export interface Validated {
  /** Null when there is a problem. */
  readonly values: ConfigurationValues | null
  readonly problems: readonly Problem[]
}

/** Checks the merged configuration against the schema. Problems are in words a person understands. */
export function validate(tree: unknown, show: Show): Validated {
  const result = configurationSchema.safeParse(tree)
  if (result.success) return { values: result.data, problems: [] }
  return {
    values: null,
    problems: result.error.issues.flatMap((issue) => problemsOf(issue, tree, show)),
  }
}

type Issue = z.core.$ZodIssue

function problemsOf(issue: Issue, tree: unknown, show: Show): readonly Problem[] {
  const path = pathOf(issue.path)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownMember([...path, key], key))
  }
  if (issue.code === 'invalid_union') {
    const inner = insideUnion(issue, tree)
    if (inner !== null) return inner.flatMap((it) => problemsOf(it, tree, show))
  }
  if (issue.code === 'invalid_key') return invalidName(issue, path)

  const value = valueAt(tree, path)
  const name = path.length === 0 ? 'the configuration' : `\`${formatPath(path)}\``
  if (isValueNotSupported(path, value)) {
    return [{ path, at: 'value', message: `${name}: ${show(value, path)} is not supported yet` }]
  }
  if (value === undefined) {
    const expected = expectation(issue)
    return [{ path, at: 'key', message: `${name} is missing; it ${expected}` }]
  }
  const found = issue.code === 'too_small' && issue.origin === 'array' ? '' : show(value, path)
  const message = `${name} ${expectation(issue)}${found === '' ? '' : `, not ${found}`}`
  return [{ path, at: 'value', message: message + hintFor(issue, value) }]
}

function pathOf(path: readonly PropertyKey[]): Path {
  return path.map((segment) => (typeof segment === 'number' ? segment : String(segment)))
}

function unknownMember(path: Path, key: string): Problem {
  if (isMemberNotSupported(path)) {
    return { path, at: 'key', message: `\`${formatPath(path)}\` is not supported yet` }
  }
  const parent = path.slice(0, -1)
  const known = membersAt(configurationSchema, parent)
  const hint = didYouMean(key, [...known, ...membersNotSupportedBelow(parent)])
  const where = parent.length === 0 ? '' : ` of \`${formatPath(parent)}\``
  const which = hint === '' && known.length > 0 ? `; there are ${known.join(', ')}` : hint
  return { path, at: 'key', message: `unknown member \`${key}\`${where}${which}` }
}

/** What is wrong in the alternative of a union that a map was meant for; the path is completed. */
function insideUnion(issue: z.core.$ZodIssueInvalidUnion, tree: unknown): readonly Issue[] | null {
  const value = valueAt(tree, pathOf(issue.path))
  if (!isMap(value)) return null
  const deepest = issue.errors.find((issues) =>
    issues.every((it) => it.path.length > 0 || it.code === 'unrecognized_keys'),
  )
  return deepest?.map((it) => ({ ...it, path: [...issue.path, ...it.path] })) ?? null
}

function invalidName(issue: z.core.$ZodIssueInvalidKey, path: Path): readonly Problem[] {
  const why = issue.issues[0]?.message ?? 'is not possible'
  const parent = formatPath(path.slice(0, -1))
  const message = `the name ${JSON.stringify(path.at(-1))} in \`${parent}\` ${why}`
  return [{ path, at: 'key', message }]
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map',
  record: 'a map',
  array: 'a list',
}

/** The end of a sentence that begins with the path. */
function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${kinds[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return issue.values.length === 1
        ? `must be ${String(issue.values[0])}`
        : `must be one of ${issue.values.map(String).join(', ')}`
    case 'too_small':
      return issue.origin === 'array'
        ? `must have at least ${issue.minimum} element`
        : ownWords(issue, `must be at least ${issue.minimum}`)
    case 'too_big':
      return ownWords(issue, `must be at most ${issue.maximum}`)
    default:
      return issue.message
  }
}

/** The schema's own message, if it has one in our form. */
function ownWords(issue: Issue, otherwise: string): string {
  return issue.message.startsWith('must') ? issue.message : otherwise
}

function hintFor(issue: Issue, value: unknown): string {
  if (issue.code === 'invalid_value' && typeof value === 'string') {
    return didYouMean(value, issue.values.map(String))
  }
  if (issue.code !== 'invalid_type') return ''
  if (issue.expected === 'string' && ['number', 'boolean'].includes(typeof value)) {
    return '; put it in quotes'
  }
  const isNumberInQuotes = typeof value === 'string' && /^\d+$/.test(value)
  return issue.expected === 'number' && isNumberInQuotes ? '; remove the quotes' : ''
}
