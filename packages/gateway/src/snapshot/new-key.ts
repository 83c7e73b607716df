import { hash, randomInt } from 'node:crypto'

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** A new secret for a caller, and the digest that the configuration holds. */
export function newKey(): { readonly key: string; readonly digest: string } {
  const random = Array.from({ length: 40 }, () => letters[randomInt(letters.length)])
  const key = `sk-sluice-${random.join('')}`
  return { key, digest: hash('sha256', key) }
}
