type Headers = NodeJS.Dict<string | string[]>

const hopByHop = [
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
const notPassed = new Set(hopByHop)
const requestHeaders = new Set(['content-type', 'accept', 'user-agent', 'traceparent'])
const requestPrefixes = ['openai-', 'anthropic-', 'x-stainless-']
const notAnswered = new Set([
  ...hopByHop,
  'alt-svc',
  'content-length',
  'date',
  'nel',
  'openai-organization',
  'openai-project',
  'report-to',
  'server',
  'set-cookie',
  'strict-transport-security',
])

/** As the bare proxy passes them. */
export function passed(headers: Headers): string[] {
  return flattened(headers, (name) => !notPassed.has(name))
}

/** By allow-list, with the upstream's credential in the caller's place. */
export function forwardedRequest(headers: Headers): string[] {
  const flat = flattened(
    headers,
    (name) => requestHeaders.has(name) || requestPrefixes.some((prefix) => name.startsWith(prefix)),
  )
  flat.push('authorization', 'Bearer sk-upstream-benchmark')
  return flat
}

/** By deny-list. */
export function forwardedAnswer(headers: Headers): string[] {
  return flattened(headers, (name) => !notAnswered.has(name) && !name.startsWith('x-ratelimit-'))
}

function flattened(headers: Headers, isPassed: (name: string) => boolean): string[] {
  const flat: string[] = []
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || !isPassed(name)) continue
    if (typeof value === 'string') flat.push(name, value)
    else for (const one of value) flat.push(name, one)
  }
  return flat
}
