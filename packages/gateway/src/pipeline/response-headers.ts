import { claimedByConnection } from './hop-by-hop.ts'

/**
 * The upstream's headers that the client gets, by deny-list: names and values in turn. What is
 * left out belongs to the connection, to our own answer, or tells of the operator's account.
 */
export function headersForClient(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string[] {
  const { connection } = headers
  const claimed = typeof connection === 'string' ? claimedByConnection(connection) : null
  const kept: string[] = []
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || isDenied(name) || claimed?.has(name) === true) continue
    if (typeof value === 'string') kept.push(name, value)
    else for (const one of value) kept.push(name, one)
  }
  return kept
}

function isDenied(name: string): boolean {
  return denied.has(name) || (name.includes('ratelimit') && rateLimits.test(name))
}

const rateLimits = /^(?:x-|anthropic-)?ratelimit(?:-|$)/

const denied: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'server',
  'date',
  'content-length',
  'alt-svc',
  'strict-transport-security',
  'nel',
  'report-to',
  'openai-organization',
  'openai-project',
  'anthropic-organization-id',
  // Ours: an upstream cannot speak for the gateway.
  'x-sluice-decision',
])
