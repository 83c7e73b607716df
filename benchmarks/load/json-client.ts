// Stands in for wrk where that is missing: the same load, the same line at the end.
// usage: BENCH_BODY=… BENCH_HEADERS=… node json-client.ts URL CONNECTIONS SECONDS
import { Pool } from 'undici'
import { percentile } from '../statistics.ts'

const [address = '', connections = '16', seconds = '3'] = process.argv.slice(2)
const url = new URL(address)
const pool = new Pool(url.origin, { connections: Number(connections) })
const headers = (process.env['BENCH_HEADERS'] ?? '').split('\n').flatMap((line) => line.split('\t'))
const body = Buffer.from(process.env['BENCH_BODY'] ?? '')

const began = performance.now()
const end = began + Number(seconds) * 1000
const latencies: number[] = []
let errors = 0

await Promise.all(Array.from({ length: Number(connections) }, keepAsking))
const micros = Math.round((performance.now() - began) * 1000)
const figures = {
  requests: latencies.length,
  errors,
  micros,
  p50Ms: percentile(latencies, 0.5),
  p99Ms: percentile(latencies, 0.99),
}
console.log(`BENCH ${JSON.stringify(figures)}`)
await pool.destroy()

async function keepAsking(): Promise<void> {
  while (performance.now() < end) {
    const sent = performance.now()
    if (await isAnswered()) latencies.push(performance.now() - sent)
    else errors += 1
  }
}

function isAnswered(): Promise<boolean> {
  return new Promise((resolve) => {
    let status = 0
    pool.dispatch(
      { path: url.pathname, method: 'POST', headers, body, headersTimeout: 10_000 },
      {
        onRequestStart() {
          // undici insists on it
        },
        onResponseStart(_controller, code) {
          status = code
        },
        onResponseData() {
          // only counted
        },
        onResponseEnd: () => resolve(status === 200),
        onResponseError: () => resolve(false),
      },
    )
  })
}
