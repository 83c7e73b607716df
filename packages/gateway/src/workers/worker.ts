import { parentPort, workerData } from 'node:worker_threads'
import { openRecordWriter } from '../decisions/record-writer.ts'
import { GatewayError } from '../errors.ts'
import { Deadlines } from '../lib/deadlines.ts'
import { Bounds } from '../pipeline/bounds.ts'
import type { Clock, Dataplane } from '../pipeline/dataplane.ts'
import { compileModels } from '../pipeline/compile-models.ts'
import { compileGrants } from '../pipeline/grants.ts'
import { createListener } from '../pipeline/listen.ts'
import { openUpstreams } from '../pipeline/upstreams.ts'
import { openDirectory } from '../snapshot/directory.ts'
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts'

/** A thread of the data plane: its own listener on the shared port, and nothing of the control plane. */

const sweepEveryMs = 100
const port = parentPort
if (port === null) throw new Error('worker.ts is the entry of a thread')
const tell = (message: FromWorker) => port.postMessage(message)

const start = workerData as WorkerStart
const clock: Clock = { now: Date.now, elapsed: () => performance.now() }
const upstreams = openUpstreams(start.rules)
const plane: Dataplane = {
  rules: start.rules,
  grants: compileGrants(start.rules),
  models: compileModels(start.rules, upstreams),
  upstreams,
  directory: openDirectory(start.directory),
  bounds: new Bounds(start.bounds, start.row, start.rules.limits),
  deadlines: new Deadlines(() => clock.elapsed()),
  clock,
  recorder: openRecordWriter(start.ring),
  draining: false,
}
plane.deadlines.start(sweepEveryMs)

const server = createListener(plane, start.listener)
server.on('error', (error) => tell({ kind: 'failed', message: error.message }))
server.listen(start.address, () => tell({ kind: 'listening' }))

port.on('message', (message: ToWorker) => {
  if (message.kind === 'configure') configure(message)
  else drain(message.grace)
})

function configure({ rules, directory, change }: ToWorker & { kind: 'configure' }): void {
  if (rules !== null) {
    plane.grants = compileGrants(rules)
    plane.upstreams = openUpstreams(rules, plane.upstreams)
    plane.models = compileModels(rules, plane.upstreams)
    plane.rules = rules
    plane.bounds.limits = rules.limits
    server.headersTimeout = rules.timeouts.headers
    server.keepAliveTimeout = rules.timeouts.keepAlive
  }
  if (directory !== null) plane.directory = openDirectory(directory)
  tell({ kind: 'configured', change })
}

/** Takes no new connection, lets answers finish, and cuts those that last longer than `grace`. */
function drain(grace: number): void {
  plane.draining = true
  const timer = setTimeout(() => {
    const reason = new GatewayError('overloaded', 'The gateway is being restarted; try again.')
    for (const exchange of plane.deadlines.watched) exchange.cancel(reason)
    // What could be told has been written; what is stuck is not waited for.
    setTimeout(() => server.closeAllConnections(), 200)
  }, grace)
  // A connection whose answer began before the drain says keep-alive, and is idle only later.
  const closeIdle = setInterval(() => server.closeIdleConnections(), sweepEveryMs)
  server.close(() => {
    clearTimeout(timer)
    clearInterval(closeIdle)
    tell({ kind: 'drained' })
  })
  server.closeIdleConnections()
}
