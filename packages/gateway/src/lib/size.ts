const units: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

/** Bytes of `512B 64KiB 10MiB 1GiB`, or null for anything else. */
export function parseSize(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,15})(B|KiB|MiB|GiB)$/.exec(text) ?? []
  const bytes = Number(digits) * (units[unit] ?? Number.NaN)
  return Number.isSafeInteger(bytes) ? bytes : null
}
