import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { run } from '../processes.ts'
import { chatRequest, type Target } from './requests.ts'

export interface JsonLoad {
  readonly requests: number
  readonly errors: number
  readonly micros: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface LoadOptions {
  readonly seconds: number
  readonly connections: number
  readonly threads: number
  readonly cores?: string | undefined
}

/**
 * Sends chat requests over keep-alive connections, each as soon as the one before is answered.
 * Fails where more than one in a hundred is not answered with success.
 */
export async function loadJson(
  bench: Bench,
  target: Target,
  options: LoadOptions,
): Promise<JsonLoad> {
  const { seconds, connections, threads, cores } = options
  const url = target.url
  const env = {
    BENCH_BODY: chatRequest,
    BENCH_HEADERS: Object.entries({ 'content-type': 'application/json', ...target.headers })
      .map(([name, value]) => `${name}\t${value}`)
      .join('\n'),
  }
  const wrk = ['-t', `${threads}`, '-c', `${connections}`, '-d', `${seconds}s`, '--latency']
  const program = bench.tools.wrk
    ? { command: 'wrk', args: [...wrk, '-s', join(import.meta.dirname, 'wrk.lua'), url] }
    : {
        command: process.execPath,
        args: [join(import.meta.dirname, 'json-client.ts'), url, `${connections}`, `${seconds}`],
      }
  const output = await run({ ...program, env, cores }, seconds + 15)
  const line = /^BENCH (.*)$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`The load generator said: ${output.slice(-500)}`)
  const load = JSON.parse(line) as JsonLoad
  if (load.errors > load.requests / 100) {
    throw new Error(`${load.errors} errors beside ${load.requests} answers from ${target.url}.`)
  }
  return load
}
