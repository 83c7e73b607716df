import type { Spread } from './statistics.ts'

export function times(value: number): string {
  return `${value.toFixed(2)} ×`
}

export function timesWithSpread({ median, min, max }: Spread): string {
  return `${times(median)} (${min.toFixed(2)}–${max.toFixed(2)})`
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function fixed(value: number, digits = 1): string {
  return value.toFixed(digits)
}
