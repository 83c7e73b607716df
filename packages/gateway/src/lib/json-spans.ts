/**
 * Where things stand in a JSON text, without building anything. The text must be one that
 * `JSON.parse` accepts: checking it again here would cost as much as parsing it.
 *
 * Offsets are indexes of the text. Callers that hold bytes pass them as Latin-1, so that an index
 * is a byte offset: everything that JSON's structure is made of is ASCII.
 */

export interface Span {
  /** Index of the first character. */
  readonly start: number
  /** Index after the last character. */
  readonly end: number
}

export interface JsonSurvey {
  /** The deepest nesting of objects and arrays; 0 for a bare value. */
  readonly depth: number
  /** Members of all objects, a member that stands twice counted twice. */
  readonly members: number
  /** The value of the root object's member that was asked for; the last one if it stands twice. */
  readonly value: Span | null
}

const quote = 34
const comma = 44
const colon = 58
const openBracket = 91
const backslash = 92
const closeBracket = 93
const openBrace = 123
const closeBrace = 125

/** Reads the text once: how deep, how many members, and where the root member `name` has its value. */
export function surveyJson(text: string, name: string): JsonSurvey {
  let depth = 0
  let deepest = 0
  let members = 0
  let keyStart = -1
  let keyEnd = -1
  let valueStart = -1
  let value: Span | null = null

  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case quote:
        keyStart = index
        index = closingQuote(text, index)
        keyEnd = index + 1
        break
      case openBrace:
      case openBracket:
        if (++depth > deepest) deepest = depth
        break
      case colon:
        members++
        if (depth === 1 && isString(text, { start: keyStart, end: keyEnd }, name)) {
          valueStart = index + 1
        }
        break
      case comma:
      case closeBrace:
      case closeBracket:
        if (depth === 1 && valueStart >= 0) {
          value = trimmed(text, { start: valueStart, end: index })
          valueStart = -1
        }
        if (text.charCodeAt(index) !== comma) depth--
        break
      default:
    }
  }
  return { depth: deepest, members, value }
}

/** Members of all objects in a parsed value. Recursive: check the depth of its text first. */
export function countMembers(value: unknown): number {
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') count += countMembers(item)
  } else if (typeof value === 'object' && value !== null) {
    for (const key in value) {
      count++
      const member = (value as Record<string, unknown>)[key]
      if (typeof member === 'object') count += countMembers(member)
    }
  }
  return count
}

/** The name of a member that stands twice in one object, and where; null if there is none. */
export function findDuplicate(text: string): { name: string; index: number } | null {
  const scopes: (Set<string> | null)[] = []
  let key: Span = { start: 0, end: 0 }

  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === quote) {
      const start = index
      index = closingQuote(text, index)
      key = { start, end: index + 1 }
    } else if (code === openBrace) scopes.push(new Set())
    else if (code === openBracket) scopes.push(null)
    else if (code === closeBrace || code === closeBracket) scopes.pop()
    else if (code === colon) {
      const name = JSON.parse(text.slice(key.start, key.end)) as string
      const scope = scopes.at(-1)
      if (scope?.has(name)) return { name, index: key.start }
      scope?.add(name)
    }
  }
  return null
}

/** Index of the quote that closes the string that opens at `open`. */
function closingQuote(text: string, open: number): number {
  let index = open
  for (;;) {
    index = text.indexOf('"', index + 1)
    if (index < 0) return text.length
    let backslashes = 0
    while (text.charCodeAt(index - 1 - backslashes) === backslash) backslashes++
    if (backslashes % 2 === 0) return index
  }
}

/** Whether the string literal at `span` says `name`, also when it is spelled with escapes. */
function isString(text: string, { start, end }: Span, name: string): boolean {
  if (end - start === name.length + 2) return text.startsWith(name, start + 1)
  const literal = text.slice(start, end)
  return literal.includes('\\') && JSON.parse(literal) === name
}

function trimmed(text: string, { start, end }: Span): Span {
  let from = start
  let to = end
  while (isSpace(text.charCodeAt(from))) from++
  while (isSpace(text.charCodeAt(to - 1))) to--
  return { start: from, end: to }
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9
}
