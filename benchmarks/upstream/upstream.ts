import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { chatPath, chatRequest, streamRequest } from '../load/requests.ts'
import { startNginx } from '../nginx.ts'
import { freePort, type Running, start } from '../processes.ts'
import { waitForAnswer } from '../wait-for-answer.ts'
import { chatAnswer } from './answers.ts'

/** What stands behind the candidates, and how to ask whether one reaches it. */
export interface Upstream {
  readonly origin: string
  /** A request that it can answer. */
  readonly request: string
}

/** Answers every request with the same chat completion. */
export async function startJsonUpstream(bench: Bench, cores?: string): Promise<Upstream> {
  const port = await freePort()
  const nginxAnswers = `location / { default_type application/json; return 200 '${chatAnswer}'; }`
  const running = bench.tools.nginx
    ? await startNginx(bench, { port, server: nginxAnswers, cores })
    : start({ ...node('json-server.ts', port), cores })
  return ready(running, { port, request: chatRequest })
}

/** Answers every request with a stream of that many events, so many milliseconds apart. */
export async function startStreamUpstream(
  bench: Bench,
  { events, intervalMs }: { events: number; intervalMs: number },
): Promise<Upstream> {
  const port = await freePort()
  const program = node('stream-server.ts', port, events, intervalMs)
  const running = start({ ...program, cores: bench.cores.load })
  return ready(running, { port, request: streamRequest })
}

async function ready(
  running: Running,
  { port, request }: { port: number; request: string },
): Promise<Upstream> {
  const origin = `http://127.0.0.1:${port}`
  await waitForAnswer(running, { url: origin + chatPath, headers: {} }, request)
  return { origin, request }
}

function node(file: string, ...args: number[]): { command: string; args: string[] } {
  return {
    command: process.execPath,
    args: [join(import.meta.dirname, file), ...args.map(String)],
  }
}
