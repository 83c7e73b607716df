// Keeps a number of streams open, and answers each message of its parent with what it has counted.
// Works on the socket, so that it sees packets: an event that travels alone is one packet.
// usage: BENCH_BODY=… BENCH_HEADERS=… node stream-client.ts URL STREAMS
import { connect } from 'node:net'

export interface StreamCounts {
  readonly events: number
  readonly packets: number
  /** Streams that have begun, and those that have come to their end. */
  readonly begun: number
  readonly ended: number
  readonly errors: number
  /** The longest that any open stream has been silent since the last question. */
  readonly longestGapMs: number
}

const [address = '', streams = '50'] = process.argv.slice(2)
const url = new URL(address)
const body = process.env['BENCH_BODY'] ?? ''
const request = [
  `POST ${url.pathname} HTTP/1.1`,
  `host: ${url.host}`,
  ...(process.env['BENCH_HEADERS'] ?? '').split('\n').map((line) => line.replace('\t', ': ')),
  `content-length: ${Buffer.byteLength(body)}`,
  '',
  body,
].join('\r\n')

const endOfEvent = '\n\n' // HTTP's own framing has \r\n only
const endOfAnswer = '0\r\n\r\n'

let counts = { events: 0, packets: 0, begun: 0, ended: 0, errors: 0 }
let longestGapMs = 0
const lastHeard = new Map<number, number>()

for (let stream = 0; stream < Number(streams); stream += 1) {
  // 250 a second, so that opening them is not what is measured
  setTimeout(open, stream * 4, stream)
}

process.on('message', () => {
  const now = performance.now()
  for (const heard of lastHeard.values()) longestGapMs = Math.max(longestGapMs, now - heard)
  process.send?.({ ...counts, longestGapMs } satisfies StreamCounts)
  longestGapMs = 0
})
process.on('disconnect', () => process.exit())

function open(stream: number): void {
  const socket = connect(Number(url.port), url.hostname)
  let tail = ''
  let answers = false
  const ask = (): void => {
    tail = ''
    answers = false
    counts.begun += 1
    lastHeard.set(stream, performance.now())
    socket.write(request)
  }
  socket.setNoDelay(true).on('connect', ask)
  socket.on('data', (bytes: Buffer) => {
    hear(stream)
    const text = bytes.toString('latin1')
    if (!answers) {
      answers = true
      if (!text.startsWith('HTTP/1.1 200')) counts.errors += 1
    }
    counts.events += count(text)
    tail = (tail + text).slice(-endOfAnswer.length)
    if (tail === endOfAnswer) {
      counts.ended += 1
      ask()
    }
  })
  socket.on('error', () => {
    counts.errors += 1
  })
  socket.on('close', () => {
    if (answers) counts.errors += 1 // in mid-stream: at an end, `ask` has begun anew
    setTimeout(open, 100, stream)
  })
}

function hear(stream: number): void {
  const now = performance.now()
  longestGapMs = Math.max(longestGapMs, now - (lastHeard.get(stream) ?? now))
  lastHeard.set(stream, now)
  counts.packets += 1
}

function count(text: string): number {
  let found = 0
  for (let at = text.indexOf(endOfEvent); at !== -1; at = text.indexOf(endOfEvent, at + 2))
    found += 1
  return found
}
