import { hash } from 'node:crypto'
import { GatewayError } from '../errors.ts'
import type { Principal } from '../exchange.ts'
import type { Directory } from '../snapshot/directory.ts'
import type { RequestHeaders } from './request-headers.ts'

/**
 * Who is calling, from the headers alone: nothing of the body has been read yet. A key is looked
 * up by its digest, and that look-up is the comparison.
 */
export function authenticate(
  headers: RequestHeaders,
  query: string,
  { directory, now }: { directory: Directory; now: number },
): Principal {
  const key = presentedKey(headers) ?? keyInQuery(query)
  if (key === null) throw missingCredential(headers)

  const entry = directory.find(hash('sha256', key))
  if (entry < 0) {
    throw new GatewayError('credential_invalid', 'The key is not known here; check it for typos.')
  }
  if (directory.expires(entry) <= now) {
    throw new GatewayError('credential_expired', 'The key has expired; ask for a new one.', {
      why: `${directory.principal(entry).key} has expired`,
    })
  }
  return directory.principal(entry)
}

/** The headers that the official clients send a key in; the first of them that is there is judged. */
function presentedKey(headers: RequestHeaders): string | null {
  const { authorization } = headers
  if (authorization !== null && /^bearer /i.test(authorization)) {
    return authorization.slice('bearer '.length).trim()
  }
  return headers.xApiKey ?? headers.apiKey ?? headers.googApiKey
}

function keyInQuery(query: string): string | null {
  return query.includes('key=') ? new URLSearchParams(query).get('key') : null
}

function missingCredential(headers: RequestHeaders): GatewayError {
  if (headers.authorization !== null) {
    return new GatewayError(
      'credential_invalid',
      'The Authorization header holds no bearer key; send "Authorization: Bearer <key>".',
    )
  }
  return new GatewayError(
    'credential_missing',
    'No key was sent; send "Authorization: Bearer <key>" or "x-api-key: <key>".',
  )
}
