/**
 * Makes a test of a glob: `*` matches any run of characters, `/` and `@` included; everything
 * else is literal. It takes time in proportion to the text, whatever the pattern.
 */
export function compileGlob(pattern: string): (text: string) => boolean {
  const [start = '', ...rest] = pattern.split('*')
  const end = rest.pop()
  if (end === undefined) return (text) => text === pattern

  const middle = rest.filter((part) => part !== '')
  const shortest = start.length + end.length
  return (text) => {
    if (text.length < shortest || !text.startsWith(start) || !text.endsWith(end)) return false
    return includesInOrder(text.slice(start.length, text.length - end.length), middle)
  }
}

/** Taking the first place where each part fits is enough: a later one never helps the next. */
function includesInOrder(text: string, parts: readonly string[]): boolean {
  let from = 0
  for (const part of parts) {
    const at = text.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return true
}
