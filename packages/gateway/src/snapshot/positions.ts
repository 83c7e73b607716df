import type { LineCounter, Document, Node, Pair } from 'yaml'
import { isAlias, isMap, isNode, isPair, isScalar, isSeq } from 'yaml'
import type { Path } from './fault.ts'

export interface Position {
  readonly line: number
  readonly column: number
}

export interface PlaceAsked {
  readonly path: Path
  readonly at: 'key' | 'value'
}

/** Where paths stand in one file; a path that does not exist gives its nearest parent's place. */
export type Locate = (places: readonly PlaceAsked[]) => readonly Position[]

/** Places in a YAML document, from its own syntax tree. */
export function locateInYaml(document: Document.Parsed, lines: LineCounter): Locate {
  return (places) =>
    places.map((place) => {
      const { line, col } = lines.linePos(yamlOffset(document, place))
      return { line: Math.max(line, 1), column: Math.max(col, 1) }
    })
}

function yamlOffset(document: Document.Parsed, { path, at }: PlaceAsked): number {
  let node: Node | null = document.contents
  let offset = startOf(node)
  for (const segment of path) {
    const item: unknown = childNode(resolve(node, document), segment, document)
    if (item === undefined) return offset
    const value: unknown = isPair(item) ? item.value : item
    const place = isPair(item) && (at === 'key' || !isNode(value)) ? item.key : value
    offset = startOf(isNode(place) ? place : null)
    node = isNode(value) ? value : null
  }
  return offset
}

function resolve(node: Node | null, document: Document.Parsed): Node | null {
  return isAlias(node) ? (node.resolve(document) ?? null) : node
}

function childNode(node: Node | null, segment: string | number, document: Document.Parsed) {
  if (isSeq(node)) return typeof segment === 'number' ? node.items[segment] : undefined
  if (!isMap(node)) return undefined
  return node.items.find((pair) => nameOf(pair) === String(segment)) ?? mergedPair()

  /** The member may have come by `<<`. */
  function mergedPair(): Pair | undefined {
    if (!isMap(node)) return undefined
    for (const pair of node.items) {
      if (nameOf(pair) !== '<<' || !isNode(pair.value)) continue
      const merged = resolve(pair.value, document)
      const maps = isSeq(merged) ? merged.items : [merged]
      for (const map of maps) {
        const target = isNode(map) ? resolve(map, document) : null
        const found = isMap(target) ? target.items.find((it) => nameOf(it) === segment) : undefined
        if (found !== undefined) return found
      }
    }
    return undefined
  }
}

/** A member's name as it will be in the tree, where every name is a text. */
export function nameOf({ key }: Pair): string {
  if (!isScalar(key)) return String(key)
  return typeof key.value === 'symbol' ? '<<' : String(key.value)
}

export function startOf(node: Node | null | undefined): number {
  return node?.range?.[0] ?? 0
}

/** Finds lines and columns in a text that was not counted before. */
export function createPositions(text: string): (offset: number) => Position {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)

  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}
