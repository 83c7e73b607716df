import { z } from 'zod'
import { configurationSchema } from './configuration-schema.ts'
import { unwrap } from './schema-members.ts'

/** The table of all members, as Markdown: the generated part of docs/reference/configuration.md. */
export function configurationReference(): string {
  const rows = membersOf(configurationSchema, '').map(
    ({ path, type, initial, description }) =>
      `| \`${path}\` | ${type} | ${initial} | ${description} |`,
  )
  return ['| member | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

interface Row {
  readonly path: string
  readonly type: string
  readonly initial: string
  readonly description: string
}

function membersOf(schema: z.core.$ZodType, path: string): readonly Row[] {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodArray) return membersOf(inner.def.element, `${path}[]`)
  if (inner instanceof z.ZodRecord) {
    const [row, ...below] = rowAndMembers(inner.def.valueType, `${path}.*`)
    return row === undefined ? [] : [{ ...row, initial: '' }, ...below]
  }
  if (inner instanceof z.ZodUnion) {
    return inner.def.options.flatMap((option) => membersOf(option, path))
  }
  if (!(inner instanceof z.ZodObject)) return []
  return Object.entries(inner.def.shape).flatMap(([name, member]) =>
    rowAndMembers(member, path === '' ? name : `${path}.${name}`),
  )
}

function rowAndMembers(schema: z.core.$ZodType, path: string): readonly Row[] {
  const row = { path, type: typeOf(schema), initial: initialOf(schema) }
  return [{ ...row, description: descriptionOf(schema) }, ...membersOf(schema, path)]
}

const texts: Readonly<Record<string, string>> = {
  '^\\d+(ms|s|m|h|d|y)$': 'duration',
  '^\\d+(B|KiB|MiB|GiB)$': 'size',
}

function typeOf(schema: z.core.$ZodType): string {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodArray) return `list of ${plural(typeOf(inner.def.element))}`
  if (inner instanceof z.ZodRecord || inner instanceof z.ZodObject) return 'map'
  if (inner instanceof z.ZodUnion) return inner.def.options.map(typeOf).join(' or ')
  if (inner instanceof z.ZodEnum) return inner.options.map((it) => `\`${it}\``).join(', ')
  if (inner instanceof z.ZodLiteral)
    return [...inner.values].map((it) => `\`${String(it)}\``).join(', ')
  if (inner instanceof z.ZodNumber) return 'whole number'
  const pattern = inner instanceof z.ZodString ? patternOf(inner) : null
  return (pattern === null ? undefined : texts[pattern]) ?? 'text'
}

function plural(type: string): string {
  return type.replace(/^(map|text)$/, '$1s')
}

function patternOf(schema: z.ZodString): string | null {
  const { pattern } = z.toJSONSchema(schema, { io: 'input' })
  return pattern ?? null
}

function initialOf(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodOptional) return 'none'
  if (!(schema instanceof z.ZodDefault) && !(schema instanceof z.ZodPrefault)) return 'required'
  const value: unknown = schema.def.defaultValue
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0
  return isEmpty ? 'empty' : `\`${String(value)}\``
}

function descriptionOf(schema: z.core.$ZodType): string {
  const own = z.globalRegistry.get(schema)?.description
  if (own !== undefined) return own
  const hasInner =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  return hasInner ? descriptionOf(schema.def.innerType) : ''
}
