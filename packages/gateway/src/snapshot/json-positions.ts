import type { Locate, PlaceAsked } from './positions.ts'
import { createPositions } from './positions.ts'

/** What is asked about one place of a JSON text and what lies below it. */
interface Wanted {
  readonly children: Map<string | number, Wanted>
  key: number
  value: number
}

/** Places in a JSON text that is known to be well-formed, all found in one walk. */
export function locateInJson(text: string): Locate {
  return (places) => {
    const root: Wanted = { children: new Map(), key: -1, value: -1 }
    const leaves = places.map((place) => plant(root, place))
    walk(text, skipBlank(text, 0), root)
    const positions = createPositions(text)
    return places.map((place, index) => positions(offsetOf(place, leaves[index] ?? [root])))
  }
}

/** Adds the path to the tree of what is wanted and gives the nodes along it. */
function plant(root: Wanted, { path }: PlaceAsked): readonly Wanted[] {
  const nodes = [root]
  let node = root
  for (const segment of path) {
    let next = node.children.get(segment)
    if (next === undefined) {
      next = { children: new Map(), key: -1, value: -1 }
      node.children.set(segment, next)
    }
    node = next
    nodes.push(node)
  }
  return nodes
}

function offsetOf({ at }: PlaceAsked, nodes: readonly Wanted[]): number {
  const node = nodes.findLast(({ value }) => value >= 0)
  return (at === 'key' && node !== undefined && node.key >= 0 ? node.key : node?.value) ?? 0
}

/** Notes the places of what is wanted from this value on, and gives the offset after it. */
function walk(text: string, start: number, wanted: Wanted | undefined): number {
  if (wanted === undefined) return skipValue(text, start)
  wanted.value = start
  const open = text[start]
  if (wanted.children.size === 0 || (open !== '{' && open !== '[')) return skipValue(text, start)

  let at = skipBlank(text, start + 1)
  for (let index = 0; at < text.length && text[at] !== '}' && text[at] !== ']'; index++) {
    const member = open === '{' ? memberName(text, at) : { name: index, end: at }
    const next = wanted.children.get(member.name)
    if (next !== undefined && open === '{') next.key = at
    at = skipBlank(text, walk(text, member.end, next))
    if (text[at] === ',') at = skipBlank(text, at + 1)
  }
  return at + 1
}

function memberName(text: string, start: number): { name: string; end: number } {
  const end = skipString(text, start)
  const name = String(JSON.parse(text.slice(start, end)))
  return { name, end: skipBlank(text, skipBlank(text, end) + 1) }
}

export function skipBlank(text: string, start: number): number {
  let at = start
  while (at < text.length && text.charCodeAt(at) <= 32) at++
  return at
}

/** The offset after the string that begins here. */
export function skipString(text: string, start: number): number {
  let end = start
  for (;;) {
    end = text.indexOf('"', end + 1)
    if (end < 0) return text.length
    let slashes = 0
    while (text[end - 1 - slashes] === '\\') slashes++
    if (slashes % 2 === 0) return end + 1
  }
}

function skipValue(text: string, start: number): number {
  let depth = 0
  let at = start
  while (at < text.length) {
    const character = text[at]
    if (character === '"') {
      at = skipString(text, at)
      if (depth === 0) return at
      continue
    }
    if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') {
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (character === ',' && depth === 0) return at
    at++
  }
  return at
}
