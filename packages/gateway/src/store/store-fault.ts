/** Why a store cannot be used at the moment, in a word for `/readyz`. */
export type StoreFault =
  'store_locked' | 'store_full' | 'store_unwritable' | 'store_corrupt' | 'store_failed'

/** SQLite's primary result codes. */
const faults = new Map<number, StoreFault>([
  [5, 'store_locked'],
  [6, 'store_locked'],
  [8, 'store_unwritable'],
  [11, 'store_corrupt'],
  [13, 'store_full'],
  [14, 'store_unwritable'],
  [26, 'store_corrupt'],
])

const systemFaults = new Map<unknown, StoreFault>([
  ['ENOSPC', 'store_full'],
  ['EDQUOT', 'store_full'],
  ['EACCES', 'store_unwritable'],
  ['EPERM', 'store_unwritable'],
  ['EROFS', 'store_unwritable'],
  ['ENOTDIR', 'store_unwritable'],
])

export function storeFault(error: unknown): StoreFault {
  if (!(error instanceof Error)) return 'store_failed'
  if ('errcode' in error) return faults.get(Number(error.errcode) & 0xff) ?? 'store_failed'
  return ('code' in error && systemFaults.get(error.code)) || 'store_failed'
}
