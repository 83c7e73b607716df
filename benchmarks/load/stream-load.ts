import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { start } from '../processes.ts'
import { streamRequest, type Target } from './requests.ts'
import type { StreamCounts } from './stream-client.ts'

export interface StreamLoad {
  /** What has been counted since the load began (the gap: since the last question). */
  readonly counts: () => Promise<StreamCounts>
}

/** Keeps streams open through a target: one that ends is opened again. */
export function loadStreams(bench: Bench, target: Target, streams: number): StreamLoad {
  const client = start({
    command: process.execPath,
    args: [join(import.meta.dirname, 'stream-client.ts'), target.url, `${streams}`],
    cores: bench.cores.load,
    env: streamEnvironment(target),
    messages: true,
  })
  return {
    async counts() {
      const answer = once(client.process, 'message') as Promise<[StreamCounts]>
      client.process.send('counts')
      const late = sleep(10_000, undefined, { ref: false })
      const [counts] = (await Promise.race([answer, late])) ?? []
      if (counts === undefined) throw new Error(`The streams' client is silent: ${client.output()}`)
      return counts
    },
  }
}

/** How a stream client is told what to send. */
export function streamEnvironment(target: Target): Record<string, string> {
  const headers = { 'content-type': 'application/json', ...target.headers }
  return {
    BENCH_BODY: streamRequest,
    BENCH_HEADERS: Object.entries(headers)
      .map(([name, value]) => `${name}\t${value}`)
      .join('\n'),
  }
}
