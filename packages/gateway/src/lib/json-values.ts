/** Reading parsed JSON that may be anything. */

export function asObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}

export function asString(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** A count: a finite number that is not negative, else 0. */
export function asCount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
}

/** Parses a text; undefined if it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Whether the text of a JSON object has a member, so spelled, that is anything but null. */
export function mentionsMember(text: string, quotedName: string): boolean {
  for (let at = text.indexOf(quotedName); at >= 0; at = text.indexOf(quotedName, at + 1)) {
    let next = at + quotedName.length
    while (isBlankOrColon(text.charCodeAt(next))) next++
    if (!text.startsWith('null', next)) return true
  }
  return false
}

function isBlankOrColon(code: number): boolean {
  return code === 32 || code === 58
}
