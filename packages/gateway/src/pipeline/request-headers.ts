import { claimedByConnection } from './hop-by-hop.ts'

/** What the gateway reads of a request's headers, found in one pass over what the parser gave. */
export interface RequestHeaders {
  authorization: string | null
  xApiKey: string | null
  apiKey: string | null
  googApiKey: string | null
  contentType: string | null
  contentEncoding: string | null
  contentLength: number | null
  /** Whether the body comes in chunks, so that its size is not known. */
  isChunked: boolean
  /** How many Host headers there are. */
  hosts: number
  expectsContinue: boolean
  forwardedFor: string | null
  traceparent: string | null
  anthropicVersion: string | null
  /** Names and values in turn: what goes upstream, by allow-list. */
  readonly forward: string[]
}

export function readHeaders(raw: readonly string[]): RequestHeaders {
  const headers: RequestHeaders = {
    authorization: null,
    xApiKey: null,
    apiKey: null,
    googApiKey: null,
    contentType: null,
    contentEncoding: null,
    contentLength: null,
    isChunked: false,
    hosts: 0,
    expectsContinue: false,
    forwardedFor: null,
    traceparent: null,
    anthropicVersion: null,
    forward: [],
  }
  let claimed: ReadonlySet<string> | null = null
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase()
    const value = raw[index + 1] ?? ''
    if (name === 'connection') claimed = claimedByConnection(value) ?? claimed
    else readHeader(headers, name, value)
  }
  return claimed === null ? headers : { ...headers, forward: without(headers.forward, claimed) }
}

function without(forward: readonly string[], names: ReadonlySet<string>): string[] {
  return forward.filter((_, index) => !names.has(forward[index - (index % 2)] ?? ''))
}

function readHeader(headers: RequestHeaders, name: string, value: string): void {
  switch (name) {
    // A credential that stands twice is judged by its first value.
    case 'authorization':
      headers.authorization ??= value
      return
    case 'x-api-key':
      headers.xApiKey ??= value
      return
    case 'api-key':
      headers.apiKey ??= value
      return
    case 'x-goog-api-key':
      headers.googApiKey ??= value
      return
    case 'content-type':
      headers.contentType = value
      return
    case 'content-encoding':
      headers.contentEncoding =
        headers.contentEncoding === null ? value : `${headers.contentEncoding}, ${value}`
      return
    case 'content-length':
      headers.contentLength = Number(value)
      return
    case 'transfer-encoding':
      headers.isChunked = true
      return
    case 'host':
      headers.hosts++
      return
    case 'expect':
      headers.expectsContinue = value.toLowerCase() === '100-continue'
      return
    case 'x-forwarded-for':
      headers.forwardedFor =
        headers.forwardedFor === null ? value : `${headers.forwardedFor}, ${value}`
      return
    case 'traceparent':
      headers.traceparent = value
      headers.forward.push(name, value)
      return
    case 'anthropic-version':
      headers.anthropicVersion = value
      headers.forward.push(name, value)
      return
    case 'accept':
    case 'user-agent':
      headers.forward.push(name, value)
      return
    default:
      if (mayGoUpstream(name)) headers.forward.push(name, value)
  }
}

function mayGoUpstream(name: string): boolean {
  switch (name.charCodeAt(0)) {
    case 97: // a
      return name.startsWith('anthropic-')
    case 111: // o
      // These two would choose an account of the operator's.
      return (
        name.startsWith('openai-') && name !== 'openai-organization' && name !== 'openai-project'
      )
    case 120: // x
      return name.startsWith('x-stainless-')
    default:
      return false
  }
}
