import { dirname, extname } from 'node:path'
import { isNode, isPair, LineCounter, parseDocument, visit } from 'yaml'
import type { Document } from 'yaml'
import type { Fault } from './fault.ts'
import { hasDuplicateMembers, inspectJson } from './inspect-json.ts'
import { locateInJson } from './json-positions.ts'
import { createPositions, locateInYaml, nameOf, startOf } from './positions.ts'
import type { Locate } from './positions.ts'

/** One file of the configuration, parsed; what it refers to is not yet filled in. */
export interface SourceFile {
  /** As messages show it. */
  readonly name: string
  /** Relative paths start here. */
  readonly directory: string
  readonly value: unknown
  readonly locate: Locate
  readonly faults: readonly Fault[]
}

export interface SourceText {
  readonly name: string
  readonly path: string
  readonly text: string
}

/** How often aliases may repeat what their anchors hold, before it is taken for a bomb. */
const maxAliases = 1_000

export function parseSource({ name, path, text }: SourceText): SourceFile {
  const parse = extname(path) === '.json' ? parseJson : parseYaml
  const { value, locate, faults } = withinStack(() => parse(text))
  const positions = faults.length > 0 ? createPositions(text) : null
  return {
    name,
    directory: dirname(path),
    value,
    locate,
    faults: faults.map(({ offset, message }) => ({
      file: name,
      ...(positions?.(offset) ?? { line: 1, column: 1 }),
      path: '',
      message,
    })),
  }
}

interface Parsed {
  readonly value: unknown
  readonly locate: Locate
  readonly faults: readonly { readonly offset: number; readonly message: string }[]
}

function withinStack(parse: () => Parsed): Parsed {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const faults = [{ offset: 0, message: 'the file is nested too deeply' }]
    return { value: null, locate: locateInJson(''), faults }
  }
}

function parseJson(text: string): Parsed {
  try {
    const value: unknown = JSON.parse(text)
    const faults = hasDuplicateMembers(text, value) ? inspectJson(text) : []
    return { value, locate: locateInJson(text), faults }
  } catch (error) {
    const faults = inspectJson(text)
    const unplaced = { offset: 0, message: `not well-formed JSON: ${messageOf(error)}` }
    return {
      value: null,
      locate: locateInJson(''),
      faults: faults.length > 0 ? faults : [unplaced],
    }
  }
}

function parseYaml(text: string): Parsed {
  const lines = new LineCounter()
  // uniqueKeys compares every pair of names; duplicateNames below takes time in proportion.
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    uniqueKeys: false,
  })
  const faults = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    offset: pos[0],
    message: `not well-formed YAML: ${message}`,
  }))
  faults.push(...duplicateNames(document, (offset) => lines.linePos(offset).line))
  faults.push(...unknownAnchors(document))
  if (faults.length > 0) return { value: null, locate: locateInYaml(document, lines), faults }

  try {
    const value: unknown = document.toJS({ maxAliasCount: maxAliases })
    return { value, locate: locateInYaml(document, lines), faults }
  } catch (error) {
    const fault = { offset: 0, message: `not usable YAML: ${messageOf(error)}` }
    return { value: null, locate: locateInYaml(document, lines), faults: [fault] }
  }
}

function duplicateNames(document: Document, lineOf: (offset: number) => number) {
  const faults: { offset: number; message: string }[] = []
  visit(document, {
    Map(_, map) {
      const seen = new Map<string, number>()
      for (const pair of map.items) {
        const name = nameOf(pair)
        const offset = isPair(pair) && isNode(pair.key) ? startOf(pair.key) : startOf(map)
        const first = seen.get(name)
        if (first !== undefined) {
          const message = `\`${name}\` is defined twice in the same map, first on line ${lineOf(first)}`
          faults.push({ offset, message })
        } else seen.set(name, offset)
      }
    },
  })
  return faults
}

function unknownAnchors(document: Document) {
  const faults: { offset: number; message: string }[] = []
  const anchors = new Set<string>()
  visit(document, {
    Value: (_, { anchor }) => void (anchor !== undefined && anchors.add(anchor)),
    Alias(_, alias) {
      if (anchors.has(alias.source)) return
      faults.push({
        offset: startOf(alias),
        message: `there is no anchor \`&${alias.source}\` before`,
      })
    },
  })
  return faults
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
