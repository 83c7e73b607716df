import { randomFillSync } from 'node:crypto'

const poolSize = 10 * 1024
const pool = Buffer.allocUnsafeSlow(poolSize)
let used = poolSize

let timeOfHex = -1
let timeHex = ''

/**
 * A UUIDv7 (RFC 9562): 48 bits of milliseconds, then 74 random bits, so ids sort by time and
 * cannot be guessed. Randomness comes from a pool: one system call per 1,024 ids.
 */
export function uuidv7(milliseconds: number): string {
  if (milliseconds !== timeOfHex) {
    timeOfHex = milliseconds
    const hex = milliseconds.toString(16).padStart(12, '0')
    timeHex = `${hex.slice(0, 8)}-${hex.slice(8)}-7`
  }
  if (used === poolSize) {
    randomFillSync(pool)
    used = 0
  }
  const variant = variants[(pool[used] ?? 0) & 3] ?? '8'
  const random = pool.toString('hex', used + 1, used + 10)
  used += 10
  return `${timeHex}${random.slice(0, 3)}-${variant}${random.slice(3, 6)}-${random.slice(6)}`
}

const variants = ['8', '9', 'a', 'b'] as const
