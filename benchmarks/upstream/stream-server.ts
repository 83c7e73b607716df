// Answers everything with a stream: its first event at once, the rest one write each, evenly paced.
// usage: node stream-server.ts PORT EVENTS INTERVAL_MS
import { createServer, type ServerResponse } from 'node:http'
import { firstEvent, lastEvents, nextEvent } from './answers.ts'

const [port, events, interval] = process.argv.slice(2).map(Number)
if (port === undefined || events === undefined || interval === undefined) {
  throw new Error('usage: PORT EVENTS INTERVAL_MS')
}
const first = Buffer.from(firstEvent)
const next = Buffer.from(nextEvent)
const last = Buffer.from(lastEvents)
const headers = ['content-type', 'text/event-stream', 'cache-control', 'no-cache']

// One timer turns a wheel with a slot per millisecond, so streams are spread and never bunch up.
const wheel = Array.from({ length: interval }, () => new Map<ServerResponse, number>())
let now = 0
let placed = 0

setInterval(() => {
  now = (now + 1) % interval
  const slot = wheel[now]
  for (const [response, left] of slot ?? []) {
    if (left > 0) {
      slot?.set(response, left - 1)
      response.write(next)
    } else {
      slot?.delete(response)
      response.end(last)
    }
  }
}, 1)

createServer((request, response) => {
  request.resume().on('end', () => {
    response.writeHead(200, headers).write(first)
    placed = (placed + 1) % interval
    const slot = wheel[placed]
    slot?.set(response, events - 1)
    response.on('close', () => slot?.delete(response))
  })
}).listen(port, '127.0.0.1')
