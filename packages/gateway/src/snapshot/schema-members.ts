import { z } from 'zod'
import type { Path } from './fault.ts'

/** The schema behind defaults, transformations and other wrappings. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return unwrap(schema.def.innerType)
  }
  if (schema instanceof z.ZodPrefault) return unwrap(schema.def.innerType)
  if (schema instanceof z.ZodPipe) return unwrap(schema.def.in)
  return schema
}

/** The members that a map at this path may have; empty where it may have any, or is no map. */
export function membersAt(root: z.core.$ZodType, path: Path): readonly string[] {
  const schema = path.reduce<z.core.$ZodType | undefined>(
    (at, segment) => (at === undefined ? undefined : step(at, segment)),
    root,
  )
  return schema === undefined ? [] : shapesOf(schema).flatMap((shape) => Object.keys(shape))
}

function step(schema: z.core.$ZodType, segment: string | number): z.core.$ZodType | undefined {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodArray) return inner.def.element
  if (inner instanceof z.ZodRecord) return inner.def.valueType
  for (const shape of shapesOf(inner)) {
    if (Object.hasOwn(shape, segment)) return shape[segment]
  }
  return undefined
}

function shapesOf(schema: z.core.$ZodType): readonly Readonly<Record<string, z.core.$ZodType>>[] {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodUnion) return inner.def.options.flatMap(shapesOf)
  return inner instanceof z.ZodObject ? [inner.def.shape] : []
}
