/** A stream of numbers in [0, 1) that is the same for the same seed (mulberry32). */
export type Random = () => number

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from 0 up to, and not including, `limit`. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
export const hexDigits = '0123456789abcdef'

/** A word such as the providers' ids end in: `length` characters of an alphabet. */
export function randomWord(random: Random, length: number, alphabet = letters): string {
  let word = ''
  for (let position = 0; position < length; position += 1) {
    word += alphabet[below(random, alphabet.length)]
  }
  return word
}
