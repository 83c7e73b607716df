const day = 86_400_000
const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: day,
  y: 365 * day,
}

/** Milliseconds of `250ms 30s 5m 8h 7d 7y`, or null for anything else. A year has 365 days. */
export function parseDuration(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,15})(ms|s|m|h|d|y)$/.exec(text) ?? []
  const milliseconds = Number(digits) * (units[unit] ?? Number.NaN)
  return Number.isSafeInteger(milliseconds) ? milliseconds : null
}
