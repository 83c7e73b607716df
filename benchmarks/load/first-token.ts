// Asks for one stream at a time, at each target in turn, and prints how long the first event took.
// usage: BENCH_BODY=… BENCH_HEADERS=… node first-token.ts ROUNDS URL…
import { Agent, request } from 'node:http'

const [rounds = '100', ...targets] = process.argv.slice(2)
const body = Buffer.from(process.env['BENCH_BODY'] ?? '')
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const warmUpAgent = new Agent({ keepAlive: true, maxSockets: 32 })
const headers = Object.fromEntries(
  (process.env['BENCH_HEADERS'] ?? '').split('\n').map((line) => line.split('\t')),
) as Record<string, string>

/**
 * A gateway has been at work for hours when a user asks: before anything is timed, each target
 * answers so many streams, 32 at a time, which is about when its compiled code is there.
 */
const warmUpStreams = 6_000
for (const target of targets) {
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (let stream = 0; stream < warmUpStreams / 32; stream += 1) {
        await firstEvent(target, warmUpAgent)
      }
    }),
  )
}
warmUpAgent.destroy()

const warmUp = 20
const times = targets.map((): number[] => [])
for (let round = 0; round < Number(rounds) + warmUp; round += 1) {
  for (const [index, target] of targets.entries()) {
    const took = await firstEvent(target, agent)
    if (round >= warmUp) times[index]?.push(took)
  }
}
console.log(`BENCH ${JSON.stringify(times)}`)
agent.destroy()

/** Milliseconds from the request to its first event; resolves when the stream has ended. */
function firstEvent(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = performance.now()
    let first = 0
    const call = request(url, {
      method: 'POST',
      agent,
      headers: { ...headers, 'content-length': body.length },
      timeout: 10_000,
    })
    call.on('timeout', () => call.destroy(new Error(`${url} is silent.`)))
    call.on('error', reject)
    call.on('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}.`))
      response.on('data', (chunk: Buffer) => {
        if (first === 0 && chunk.includes('data:')) first = performance.now() - sent
      })
      response.on('end', () => resolve(first))
      response.on('error', reject)
    })
    call.end(body)
  })
}
