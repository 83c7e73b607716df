/** Something that ends by itself when its time is over. */
export interface Timed {
  /** On the clock that `Deadlines` was made with; Infinity for none. */
  deadline: number
  /** Its place among the watched, -1 if it is not watched; nobody else's business. */
  slot: number
  expire(): void
}

/**
 * Time limits for very many things at the price of one timer: each holds its deadline, and one
 * sweep looks at all of them. A limit is therefore late by up to one sweep.
 *
 * An array and not a Set: the tables that a Set outgrows keep what they held alive until the next
 * full garbage collection, which doubled the time spent in young collections.
 */
export class Deadlines<Item extends Timed = Timed> {
  readonly #watched: Item[] = []
  readonly #now: () => number
  /** When the last sweep was: the time that is good enough for a limit, and costs nothing to read. */
  lastSweep: number
  /** Milliseconds between two sweeps. */
  sweepEvery = 0
  #timer: NodeJS.Timeout | undefined

  constructor(now: () => number) {
    this.#now = now
    this.lastSweep = now()
  }

  /** Sweeps every so many milliseconds until closed. Never keeps the process alive. */
  start(every: number): void {
    this.sweepEvery = every
    this.#timer = setInterval(() => this.sweep(), every).unref()
  }

  watch(item: Item): void {
    item.slot = this.#watched.length
    this.#watched.push(item)
  }

  forget(item: Item): void {
    const last = this.#watched.at(-1)
    if (item.slot < 0 || last === undefined) return
    this.#watched[item.slot] = last
    last.slot = item.slot
    item.slot = -1
    this.#watched.pop()
  }

  /** Everything that is watched now. */
  get watched(): readonly Item[] {
    return [...this.#watched]
  }

  sweep(): void {
    const now = this.#now()
    this.lastSweep = now
    for (const item of this.watched) {
      if (item.deadline > now) continue
      item.deadline = Infinity
      item.expire()
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
