import { isMap } from './tree.ts'
import { skipBlank, skipString } from './json-positions.ts'

/** What is wrong with a JSON text, by its offset. */
export interface JsonFault {
  readonly offset: number
  readonly message: string
}

/** `JSON.parse` takes the last of two members with one name; then there are more colons than members. */
export function hasDuplicateMembers(text: string, value: unknown): boolean {
  return countColons(text) !== countMembers(value)
}

function countColons(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 34) at = skipString(text, at) - 1
    else if (code === 58) count++
  }
  return count
}

function countMembers(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, it) => sum + countMembers(it), 0)
  if (!isMap(value)) return 0
  let count = 0
  for (const name of Object.keys(value)) count += 1 + countMembers(value[name])
  return count
}

class SyntaxFault extends Error {
  readonly offset: number

  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

/** Reads the text slowly, to find what `JSON.parse` does not place: bad syntax, names given twice. */
export function inspectJson(text: string): readonly JsonFault[] {
  const inspector = new Inspector(text)
  try {
    const end = skipBlank(text, inspector.value(skipBlank(text, 0)))
    if (end < text.length) throw new SyntaxFault(end, 'nothing may follow the value')
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    inspector.faults.push({
      offset: error.offset,
      message: `not well-formed JSON: ${error.message}`,
    })
  }
  return inspector.faults
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y
const word = /(?:true|false|null)(?!\w)/y
// Control characters of ASCII must be escaped; \p{Cc} has a few more.
const string = /"(?:[^"\\\p{Cc}]+|[\x7f-\x9f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/uy

/** Each method takes the offset where something begins and gives the offset after it. */
class Inspector {
  readonly faults: JsonFault[] = []
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  value(start: number): number {
    const first = this.#text[start]
    if (first === '{' || first === '[') return this.#items(start, first === '{' ? '}' : ']')
    for (const pattern of [string, number, word]) {
      const end = this.#match(pattern, start)
      if (end !== null) return end
    }
    throw this.#unexpected(start, 'a value')
  }

  #items(start: number, close: '}' | ']'): number {
    const names = new Set<string>()
    let at = skipBlank(this.#text, start + 1)
    if (this.#text[at] === close) return at + 1
    for (;;) {
      if (close === '}') at = this.#name(at, names)
      at = skipBlank(this.#text, this.value(at))
      if (this.#text[at] === close) return at + 1
      if (this.#text[at] !== ',') throw this.#unexpected(at, `\`,\` or \`${close}\``)
      at = skipBlank(this.#text, at + 1)
    }
  }

  #name(start: number, names: Set<string>): number {
    const end = this.#match(string, start)
    if (end === null) throw this.#unexpected(start, 'a name in double quotes')
    const name = String(JSON.parse(this.#text.slice(start, end)))
    if (names.has(name)) {
      this.faults.push({ offset: start, message: `\`${name}\` is defined twice in the same map` })
    }
    names.add(name)
    const colon = skipBlank(this.#text, end)
    if (this.#text[colon] !== ':') throw this.#unexpected(colon, '`:`')
    return skipBlank(this.#text, colon + 1)
  }

  #match(pattern: RegExp, start: number): number | null {
    pattern.lastIndex = start
    return pattern.test(this.#text) ? pattern.lastIndex : null
  }

  #unexpected(at: number, expected: string): SyntaxFault {
    const found = this.#text[at]
    const what = found === undefined ? 'the end of the file' : `\`${found}\``
    return new SyntaxFault(at, `expected ${expected}, not ${what}`)
  }
}
