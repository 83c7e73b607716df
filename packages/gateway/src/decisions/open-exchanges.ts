/**
 * What was decided and has not ended, worker by worker: the ends that the recorder writes itself when
 * a worker dies, and the first half of a log line.
 */
export interface OpenExchanges {
  decided: (id: string, line: string) => void
  /** The first half, which is forgotten; undefined when it was dropped. */
  closed: (id: string) => string | undefined
  /** Forgets them all and hands them over. */
  takeAll: () => string[]
}

/** More than the gateway lets in: only ends that were dropped can make it as many. */
const MOST_OPEN = 100_000

export function createOpenExchanges(): OpenExchanges {
  let lines = new Map<string, string>()
  return {
    decided(id, line) {
      if (lines.size === MOST_OPEN) {
        const [oldest] = lines.keys()
        if (oldest !== undefined) lines.delete(oldest)
      }
      lines.set(id, line)
    },
    closed(id) {
      const line = lines.get(id)
      if (line !== undefined) lines.delete(id)
      return line
    },
    takeAll() {
      const taken = [...lines.values()]
      lines = new Map()
      return taken
    },
  }
}
