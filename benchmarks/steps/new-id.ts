import { randomFillSync } from 'node:crypto'

const pool = Buffer.allocUnsafeSlow(10 * 1024)
let used = pool.length

/** A UUIDv7, its random part from a pool. */
export function newId(milliseconds: number): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const time = milliseconds.toString(16).padStart(12, '0')
  const random = pool.toString('hex', used, used + 10)
  used += 10
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6, 18)}`
}
