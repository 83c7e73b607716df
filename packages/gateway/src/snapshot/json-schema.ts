import { z } from 'zod'
import { configurationSchema } from './configuration-schema.ts'

type JsonSchema = z.core.JSONSchema.BaseSchema

/** The JSON Schema of everything that a configuration may say, for editors and other programs. */
export function configurationJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(configurationSchema, {
    io: 'input',
    target: 'draft-2020-12',
    override: ({ jsonSchema }) => allowReferences(jsonSchema),
  })
  return { title: 'Sluice configuration', ...schema, $defs: references }
}

const references: Record<string, JsonSchema> = {
  fromEnvironment: {
    type: 'string',
    pattern: String.raw`\$\{`,
    description: 'Text with ${NAME} or ${NAME:-default}, read from the environment.',
  },
  fromFile: {
    type: 'object',
    properties: { file: { type: 'string', description: 'Relative to the folder of this file.' } },
    required: ['file'],
    additionalProperties: false,
    description: 'The content of a file, without the line break at its end.',
  },
}

/** Wherever a text may stand, it may also come from the environment or from a file. */
function allowReferences(schema: JsonSchema): void {
  const { properties, items, additionalProperties, anyOf } = schema
  for (const [name, member] of Object.entries(properties ?? {})) {
    if (properties !== undefined) properties[name] = orReference(member)
  }
  if (typeof items === 'object' && !Array.isArray(items)) schema.items = orReference(items)
  if (typeof additionalProperties === 'object') {
    schema.additionalProperties = orReference(additionalProperties)
  }
  if (anyOf?.some(isText) === true && !anyOf.some(isReference)) anyOf.push(...referenceSchemas())
}

function orReference(schema: JsonSchema | boolean): JsonSchema | boolean {
  if (typeof schema === 'boolean' || !isText(schema)) return schema
  const { description, default: value, ...text } = schema
  return {
    ...(description === undefined ? {} : { description }),
    ...(value === undefined ? {} : { default: value }),
    anyOf: [text, ...referenceSchemas()],
  }
}

function isText(schema: JsonSchema): boolean {
  return schema.type === 'string'
}

function isReference({ $ref }: JsonSchema): boolean {
  return $ref !== undefined
}

function referenceSchemas(): JsonSchema[] {
  return [{ $ref: '#/$defs/fromEnvironment' }, { $ref: '#/$defs/fromFile' }]
}
