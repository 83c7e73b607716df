import { stat } from 'node:fs/promises'
import type { IncludePattern } from './read-files.ts'
import { matchingFiles } from './read-files.ts'

/** What a configuration was read from. */
export interface FilesRead {
  readonly files: readonly string[]
  readonly patterns?: readonly IncludePattern[]
}

/** What to look at: a Configuration fits. */
interface Watched extends FilesRead {
  /** The state that was read; without it, the state at the first look. */
  readonly fingerprint?: string
}

export interface Watch {
  /** Looks at other files from now on. */
  watch(what: Watched): void
  close(): void
}

interface WatchOptions extends Watched {
  readonly onChange: () => void
  /** Milliseconds between two looks. */
  readonly interval?: number
}

/**
 * Calls back when a file changes, comes or goes. It looks instead of listening: that sees editors
 * that replace a file, swapped symbolic links and network file systems alike.
 */
export function watchConfiguration({ onChange, interval = 500, ...first }: WatchOptions): Watch {
  let watched: Watched = first
  let known = first.fingerprint ?? null
  let timer: NodeJS.Timeout | null = null
  let isClosed = false

  const look = async (): Promise<void> => {
    const looked = watched
    const current = await fingerprint(looked)
    // What was watched may have changed while looking.
    if (looked === watched && !isClosed) {
      const isChange = known !== null && known !== current
      known = current
      if (isChange) onChange()
    }
    if (!isClosed) timer = setTimeout(() => void look(), interval).unref()
  }
  void look()

  return {
    watch(what) {
      watched = what
      known = what.fingerprint ?? null
    },
    close() {
      isClosed = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}

/** Changes whenever one of the files does, also when one comes or goes. */
export async function fingerprint({ files, patterns = [] }: FilesRead): Promise<string> {
  const included = await Promise.all(patterns.map(matchingFiles))
  const all = [...new Set([...files, ...included.flat()])]
  return (await Promise.all(all.map(signature))).join('\n')
}

async function signature(file: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(file, { bigint: true })
    return `${file} ${mtimeNs} ${size} ${ino}`
  } catch {
    return `${file} is missing`
  }
}
