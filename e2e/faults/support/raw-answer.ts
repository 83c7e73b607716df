/** An HTTP answer read from bytes, by a reader that shares nothing with the gateway's. */
export interface RawAnswer {
  readonly status: number
  readonly version: string
  /** By lower-case name; values of the same name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** Without chunk sizes. */
  readonly body: string
  /** Whether the body came to the end that HTTP says it has. */
  readonly isWhole: boolean
}

interface Reading {
  readonly toMethod: string
  /** No further bytes will come. */
  readonly isOver: boolean
}

/** The answers in these bytes, one after the other; the last one may be unfinished. */
export function parseAnswers(bytes: Buffer, reading: Reading): RawAnswer[] {
  const answers: RawAnswer[] = []
  let rest = bytes.toString('latin1')
  while (rest !== '') {
    const headEnd = rest.indexOf('\r\n\r\n')
    if (headEnd < 0) break
    const [statusLine = '', ...lines] = rest.slice(0, headEnd).split('\r\n')
    const [version = '', status = ''] = statusLine.split(' ')
    const headers = readHeaders(lines)
    const head = { version, status: Number(status), headers }
    const { body, length, isWhole } = readBody(rest.slice(headEnd + 4), head, reading)
    answers.push({ ...head, body, isWhole })
    if (!isWhole) break
    rest = rest.slice(headEnd + 4 + length)
  }
  return answers
}

function readHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    const value = line.slice(line.indexOf(':') + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return headers
}

interface Body {
  readonly body: string
  /** What it took of the bytes. */
  readonly length: number
  readonly isWhole: boolean
}

function readBody(
  rest: string,
  { status, headers }: Pick<RawAnswer, 'status' | 'headers'>,
  { toMethod, isOver }: Reading,
): Body {
  if (status < 200 || status === 204 || status === 304 || toMethod === 'HEAD') {
    return { body: '', length: 0, isWhole: true }
  }
  if (headers['transfer-encoding'] === 'chunked') return readChunks(rest)
  const length = headers['content-length']
  if (length === undefined) return { body: rest, length: rest.length, isWhole: isOver }
  const body = rest.slice(0, Number(length))
  return { body, length: body.length, isWhole: body.length === Number(length) }
}

function readChunks(rest: string): Body {
  let body = ''
  let at = 0
  for (;;) {
    const lineEnd = rest.indexOf('\r\n', at)
    const size = Number.parseInt(rest.slice(at, lineEnd), 16)
    if (lineEnd < 0 || Number.isNaN(size)) return { body, length: at, isWhole: false }
    const from = lineEnd + 2
    body += rest.slice(from, from + size)
    at = from + size + 2
    if (at > rest.length) return { body, length: rest.length, isWhole: false }
    if (size === 0) return { body, length: at, isWhole: true }
  }
}
