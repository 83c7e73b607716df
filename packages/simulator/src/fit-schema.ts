import { isObject, numberAt, objectsIn, stringAt, type JsonObject } from './json.ts'

const maxDepth = 8

const formats: { readonly [name: string]: string } = {
  date: '2026-01-31',
  time: '12:30:00Z',
  'date-time': '2026-01-31T12:30:00Z',
  email: 'someone@example.com',
  uri: 'https://example.com/',
  url: 'https://example.com/',
  uuid: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  hostname: 'example.com',
}

/** A value that fits a JSON Schema: the arguments of a tool call. Patterns are not looked at. */
export function fitSchema(schema: unknown, root: unknown = schema, depth = 0): unknown {
  if (!isObject(schema)) return depth === 0 ? {} : 'lorem'

  const given = schema['const'] ?? firstOf(schema['enum']) ?? schema['default']
  if (given !== undefined) return given
  const reference = stringAt(schema, '$ref')
  if (reference !== undefined && depth < maxDepth) {
    return fitSchema(resolve(reference, root), root, depth + 1)
  }
  const [variant] = objectsIn(schema['anyOf'] ?? schema['oneOf'])
  if (variant) return fitSchema({ ...schema, ...without(variant) }, root, depth)
  const parts = objectsIn(schema['allOf'])
  if (parts.length > 0) return fitSchema(mergeAll(schema, parts, root), root, depth)

  return fitType(schema, root, depth)
}

function firstOf(list: unknown): unknown {
  return Array.isArray(list) ? list[0] : undefined
}

// The variant takes the place of the choice, or the choice would be made forever.
function without(variant: JsonObject): JsonObject {
  return { anyOf: undefined, oneOf: undefined, ...variant }
}

function mergeAll(schema: JsonObject, parts: readonly JsonObject[], root: unknown): JsonObject {
  const all = [schema, ...parts.map((part) => resolved(part, root))]
  const properties = all.map((part) => (isObject(part['properties']) ? part['properties'] : {}))
  return {
    ...Object.assign({}, ...all),
    allOf: undefined,
    properties: Object.assign({}, ...properties),
    required: all.flatMap((part) => (Array.isArray(part['required']) ? part['required'] : [])),
  }
}

function resolved(part: JsonObject, root: unknown): JsonObject {
  const reference = stringAt(part, '$ref')
  const target = reference === undefined ? part : resolve(reference, root)
  return isObject(target) ? target : {}
}

function resolve(reference: string, root: unknown): unknown {
  if (!reference.startsWith('#')) return undefined
  return reference
    .slice(1)
    .split('/')
    .filter((step) => step !== '')
    .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((at, step) => (isObject(at) ? at[step] : undefined), root)
}

function fitType(schema: JsonObject, root: unknown, depth: number): unknown {
  switch (typeOf(schema)) {
    case 'object':
      return fitObject(schema, root, depth)
    case 'array':
      return fitArray(schema, root, depth)
    case 'integer':
      return fitNumber(schema, 1)
    case 'number':
      return fitNumber(schema, 0.5)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return fitString(schema)
  }
}

function typeOf(schema: JsonObject): unknown {
  const type = schema['type']
  if (Array.isArray(type)) return type.find((name) => name !== 'null') ?? 'null'
  if (type !== undefined) return type
  return isObject(schema['properties']) ? 'object' : 'string'
}

function fitObject(schema: JsonObject, root: unknown, depth: number): JsonObject {
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  const required: readonly unknown[] = Array.isArray(schema['required']) ? schema['required'] : []
  // A recursive schema ends where nothing more is required.
  const isDeep = depth >= maxDepth / 2
  const names = Object.keys(properties).filter((name) => !isDeep || required.includes(name))
  if (depth >= 2 * maxDepth) return {}
  return Object.fromEntries(
    names.map((name) => [name, fitSchema(properties[name], root, depth + 1)]),
  )
}

function fitArray(schema: JsonObject, root: unknown, depth: number): readonly unknown[] {
  const least = numberAt(schema, 'minItems') ?? 0
  const length = Math.min(depth >= maxDepth / 2 ? least : Math.max(least, 1), 100)
  if (numberAt(schema, 'maxItems') === 0 || depth >= 2 * maxDepth) return []
  return Array.from({ length }, () => fitSchema(schema['items'] ?? {}, root, depth + 1))
}

function fitNumber(schema: JsonObject, step: number): number {
  const unit = numberAt(schema, 'multipleOf') ?? step
  const above = numberAt(schema, 'exclusiveMinimum')
  const under = numberAt(schema, 'exclusiveMaximum')
  const from = numberAt(schema, 'minimum') ?? (above === undefined ? undefined : above + unit)
  const to = numberAt(schema, 'maximum') ?? (under === undefined ? undefined : under - unit)
  const wanted = Math.min(Math.max(unit, from ?? unit), to ?? Infinity)
  const rounded = Math.ceil(wanted / unit) * unit
  return to !== undefined && rounded > to ? Math.floor(to / unit) * unit : rounded
}

function fitString(schema: JsonObject): string {
  const format = stringAt(schema, 'format')
  const known = format === undefined ? undefined : formats[format]
  const text = known ?? 'lorem ipsum'
  const least = numberAt(schema, 'minLength') ?? 0
  return text.padEnd(Math.min(least, 10_000), '.').slice(0, numberAt(schema, 'maxLength'))
}
