/**
 * Names that a `Connection` header claims for its own connection (RFC 9110, 7.6.1): they must not
 * be forwarded, whatever they are. Null for the two usual values, which name no header.
 */
export function claimedByConnection(value: string): ReadonlySet<string> | null {
  if (value === 'keep-alive' || value === 'close') return null
  return new Set(value.split(',').map((name) => name.trim().toLowerCase()))
}
