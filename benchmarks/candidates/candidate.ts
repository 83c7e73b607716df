import type { Bench } from '../bench.ts'
import { chatPath, type Target } from '../load/requests.ts'
import { freePort, type Running } from '../processes.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { waitForAnswer } from '../wait-for-answer.ts'

/** A proxy that can be measured. */
export interface Candidate {
  readonly name: string
  readonly start: (bench: Bench, options: StartOptions) => Promise<Started>
}

export interface StartOptions {
  readonly upstream: Upstream
  /** How many threads or processes of it serve; a candidate that knows only one ignores it. */
  readonly workers: number | 'auto'
  /** The cores that it may run on; absent: all. */
  readonly cores?: string | undefined
}

/** A proxy that answers. */
export interface Started extends Target {
  /** Its process group. */
  readonly pid: number
  readonly stop: () => Promise<void>
}

/** What a candidate has to say of itself: how it is launched, and which headers it wants. */
export interface Launch {
  readonly running: Running
  readonly headers?: Readonly<Record<string, string>>
}

/** A candidate that is a server on a port and is ready when it hands on an answer. */
export function serverCandidate(
  name: string,
  launch: (bench: Bench, options: StartOptions & { port: number }) => Promise<Launch>,
): Candidate {
  return {
    name,
    async start(bench, options) {
      const port = await freePort()
      const { running, headers = {} } = await launch(bench, { ...options, port })
      const target = { url: `http://127.0.0.1:${port}${chatPath}`, headers }
      await waitForAnswer(running, target, options.upstream.request)
      return { ...target, pid: running.pid, stop: running.stop }
    },
  }
}
