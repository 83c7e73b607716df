/**
 * What all workers together hold at a time: connections, exchanges and bytes. Each worker writes
 * its own row of a shared table and reads the others', so there is no lock, and main can clear the
 * row of a worker that died. Two workers may both pass in the same instant: the bound is kept to
 * within one exchange for each worker.
 */
export interface BoundsTable {
  readonly buffer: SharedArrayBuffer
  readonly rows: number
}

export interface BoundsTotals {
  readonly connections: number
  readonly exchanges: number
  readonly bytes: number
  /** Bytes that never became a request, since the start. */
  readonly unparsable: number
}

export interface BoundsLimits {
  readonly connections: number
  readonly exchanges: number
  readonly bytesInFlight: number
}

const columns = { connections: 0, exchanges: 1, kibibytes: 2, unparsable: 3 }
/** A row is a cache line of its own. */
const rowLength = 16

export function createBoundsTable(rows: number): BoundsTable {
  return { buffer: new SharedArrayBuffer(rows * rowLength * 4), rows }
}

/** What is held now, all workers together. */
export function readTotals({ buffer, rows }: BoundsTable): BoundsTotals {
  const cells = new Int32Array(buffer)
  const sum = (column: number) => sumColumn(cells, rows, column)
  return {
    connections: sum(columns.connections),
    exchanges: sum(columns.exchanges),
    bytes: sum(columns.kibibytes) * 1024,
    unparsable: sum(columns.unparsable),
  }
}

/** Forgets what a dead worker held; what it counted stays. */
export function clearRow({ buffer }: BoundsTable, row: number): void {
  const cells = new Int32Array(buffer)
  for (const column of [columns.connections, columns.exchanges, columns.kibibytes]) {
    Atomics.store(cells, row * rowLength + column, 0)
  }
}

/** One worker's view: takes and gives back. */
export class Bounds {
  readonly #cells: Int32Array
  readonly #rows: number
  readonly #base: number
  /** Replaced when the configuration changes. */
  limits: BoundsLimits

  constructor(table: BoundsTable, row: number, limits: BoundsLimits) {
    this.#cells = new Int32Array(table.buffer)
    this.#rows = table.rows
    this.#base = row * rowLength
    this.limits = limits
  }

  openConnection(): boolean {
    return this.#take(columns.connections, 1, this.limits.connections)
  }

  closeConnection(): void {
    this.#give(columns.connections, 1)
  }

  openExchange(): boolean {
    return this.#take(columns.exchanges, 1, this.limits.exchanges)
  }

  closeExchange(): void {
    this.#give(columns.exchanges, 1)
  }

  holdKibibytes(amount: number): boolean {
    return this.#take(columns.kibibytes, amount, this.limits.bytesInFlight / 1024)
  }

  releaseKibibytes(amount: number): void {
    this.#give(columns.kibibytes, amount)
  }

  countUnparsable(): void {
    this.#give(columns.unparsable, -1)
  }

  #take(column: number, amount: number, limit: number): boolean {
    if (sumColumn(this.#cells, this.#rows, column) + amount > limit) return false
    Atomics.add(this.#cells, this.#base + column, amount)
    return true
  }

  #give(column: number, amount: number): void {
    Atomics.sub(this.#cells, this.#base + column, amount)
  }
}

function sumColumn(cells: Int32Array, rows: number, column: number): number {
  let sum = 0
  for (let row = 0; row < rows; row++) sum += Atomics.load(cells, row * rowLength + column)
  return sum
}
