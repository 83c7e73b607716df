import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigurationError } from './fault.ts'

export interface ReloaderOptions<Loaded> {
  /** Reads everything again; throws a ConfigurationError if there is a fault. */
  readonly load: () => Promise<Loaded>
  /** Brings it into force. */
  readonly apply: (loaded: Loaded, actor: string) => void | Promise<void>
  /** Is told what is wrong; the running configuration stays in force. */
  readonly refused: (error: Error, actor: string) => void | Promise<void>
  /** Changes whenever the files do. */
  readonly fingerprint: () => Promise<string>
  readonly wait?: (milliseconds: number) => Promise<void>
}

export interface Reloader {
  /** After the files were seen to change: waits until whoever writes them is done. */
  readonly filesChanged: () => Promise<void>
  /** At once, because somebody asked for it. */
  readonly reload: (actor: string) => Promise<void>
}

const settling = 300
/** A file that never rests is judged as it is after this many looks. */
const maxLooks = 20

/** One reload after another, never two at a time. */
export function createReloader<Loaded>(options: ReloaderOptions<Loaded>): Reloader {
  let last: Promise<void> = Promise.resolve()
  let isQueued = false

  const enqueue = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work)
    return last
  }

  return {
    reload: (actor) => enqueue(async () => finish(await attempt(options), actor, options)),
    filesChanged() {
      // Whatever changes until it begins is read by the one that already waits.
      if (isQueued) return last
      isQueued = true
      return enqueue(async () => {
        isQueued = false
        await finish(await attemptWhenSettled(options), 'file', options)
      })
    },
  }
}

type Attempt<Loaded> = { readonly loaded: Loaded } | { readonly error: Error }

async function attempt<Loaded>({ load }: ReloaderOptions<Loaded>): Promise<Attempt<Loaded>> {
  try {
    return { loaded: await load() }
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)) }
  }
}

/** A half-written file may be faulty or, worse, not: what counts was read while nothing changed. */
async function attemptWhenSettled<Loaded>(
  options: ReloaderOptions<Loaded>,
): Promise<Attempt<Loaded>> {
  const { fingerprint, wait = sleep } = options
  let before = await fingerprint()
  let faultyBefore: string | null = null
  for (let look = 1; ; look++) {
    await wait(settling)
    const now = await fingerprint()
    const isSettled = now === before
    before = now
    if (!isSettled && look < maxLooks) continue

    const result = await attempt(options)
    if (look >= maxLooks) return result
    if ((await fingerprint()) !== now) continue
    // A fault is believed when it is there twice.
    if ('loaded' in result || faultyBefore === now) return result
    faultyBefore = result.error instanceof ConfigurationError ? now : null
  }
}

async function finish<Loaded>(
  result: Attempt<Loaded>,
  actor: string,
  { apply, refused }: ReloaderOptions<Loaded>,
): Promise<void> {
  if ('error' in result) await refused(result.error, actor)
  else await apply(result.loaded, actor)
}
