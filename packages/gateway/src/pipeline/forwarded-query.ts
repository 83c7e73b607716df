/** The client's query as it came, but for a key of ours in it, however its name is spelled. */
export function forwardedQuery(query: string): string {
  const kept = query.split('&').filter((parameter) => !new URLSearchParams(parameter).has('key'))
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}
