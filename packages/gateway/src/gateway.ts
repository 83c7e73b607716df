import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { createAdminServer, type Readiness } from './admin/server.ts'
import { createRing } from './decisions/record-ring.ts'
import { startRecorder, type Recorder } from './decisions/recorder.ts'
import { createLog, type Log } from './log.ts'
import { createBoundsTable, readTotals } from './pipeline/bounds.ts'
import { followConfiguration } from './snapshot/follow-configuration.ts'
import { loadConfiguration, type Configuration } from './snapshot/load-configuration.ts'
import type { ConfigurationSource } from './snapshot/read-files.ts'
import type { Settings } from './snapshot/settings.ts'
import { decisionsFile } from './store/open-database.ts'
import { openConfigurationChanges } from './store/configuration-changes.ts'
import { cannotListen, claimPort } from './workers/claim-port.ts'
import { SimulatorThread } from './workers/simulator.ts'
import { startWorkerPool } from './workers/worker-pool.ts'

export interface GatewayOptions {
  readonly source: ConfigurationSource
  readonly environment: NodeJS.ProcessEnv
  /** Where the gateway's own log goes; by default JSON lines on stderr. */
  readonly log?: Log
}

export interface Gateway {
  /** `http://host:port` or `https://…` of the data plane. */
  readonly url: string
  readonly adminUrl: string
  readonly configuration: () => Configuration
  /** Reads the configuration again; a refused one leaves the running one in force. */
  reload(actor: string): Promise<void>
  /** The data plane's threads. */
  readonly workers: readonly Worker[]
  /** Takes no new calls, lets answers finish within `server.shutdownGrace`, writes all records. */
  close(): Promise<void>
}

/** Wires a gateway: everything is put together here, by hand, and nowhere else. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const first = await loadConfiguration(options.source, options.environment)
  const { settings } = first
  const log = options.log ?? createLog(settings.logs.level)
  let phase: 'starting' | 'ready' | 'draining' = 'starting'

  const count = workerCount(settings, log)
  const bounds = createBoundsTable(count)
  const rings = Array.from({ length: count }, () => createRing())
  const changes = openConfigurationChanges(settings.store.file)
  const recorder = startRecorder({
    file: decisionsFile(settings.store.file),
    rings,
    retention: settings.decisions.retention,
    log: settings.decisions.log,
    onStatus: (degraded) => log.warn({ degraded }, 'records'),
    onFault: (error) => log.error({ error: error.message }, 'the recorder ended and is restarted'),
  })
  const simulator = new SimulatorThread()

  const admin = createAdminServer({
    readiness: async () => readinessOf(phase, recorder),
    metrics: () => {
      const { exchanges, unparsable } = readTotals(bounds)
      return recorder.metrics({ exchangesInFlight: exchanges, unparsableRequests: unparsable })
    },
  })

  try {
    await listenAdmin(admin, settings)
    const port = await claimPort(settings.listen, 'server.listen')
    const pool = await startWorkerPool({
      count,
      address: { host: settings.listen.host, port, reusePort: count > 1, backlog: 4096 },
      listener: { trustedProxies: settings.trustedProxies, tls: settings.tls },
      rules: await simulator.complete(first.rules),
      directory: first.directory,
      bounds,
      rings,
      workerDied: async (row, error) => {
        log.error({ worker: row, error: error?.message ?? null }, 'a worker ended and is replaced')
        await recorder.workerDied(row)
      },
    })
    const follower = await followConfiguration({
      first,
      source: options.source,
      environment: options.environment,
      log,
      store: changes,
      async apply(before, after) {
        await pool.configure({
          rules: after.rules === before.rules ? null : await simulator.complete(after.rules),
          directory: after.directory === before.directory ? null : after.directory,
        })
        const { retention, log: decisionLog } = after.settings.decisions
        await recorder.reconfigure({ retention, log: decisionLog })
        log.level = after.settings.logs.level
      },
    })
    phase = 'ready'

    return {
      url: `${settings.tls === null ? 'http' : 'https'}://${shown(settings.listen.host)}:${port}`,
      adminUrl: `http://${shown(settings.admin.host)}:${portOf(admin)}`,
      configuration: follower.current,
      reload: (actor) => follower.reload(actor),
      workers: pool.threads,
      async close() {
        if (phase === 'draining') return
        phase = 'draining'
        follower.close()
        await pool.drain(settings.shutdownGrace)
        await closeAll({ admin, recorder, simulator })
        changes.close()
      },
    }
  } catch (error) {
    await closeAll({ admin, recorder, simulator })
    changes.close()
    throw error
  }
}

function workerCount({ workers }: Settings, log: Log): number {
  const wanted = workers === 'auto' ? availableParallelism() : workers
  // Sharing a port between threads is the kernel's doing; not every kernel does it.
  if (wanted === 1 || sharesPorts.has(process.platform)) return wanted
  log.warn({ platform: process.platform, wanted }, 'threads cannot share a port here: one worker')
  return 1
}

const sharesPorts: ReadonlySet<NodeJS.Platform> = new Set(['linux', 'freebsd', 'sunos', 'aix'])

function readinessOf(phase: 'starting' | 'ready' | 'draining', recorder: Recorder): Readiness {
  if (phase !== 'ready') return { status: phase }
  const { degraded } = recorder.status()
  return degraded.length === 0 ? { status: 'ready' } : { status: 'degraded', reasons: degraded }
}

async function listenAdmin(admin: Server, { admin: address }: Settings): Promise<void> {
  admin.listen({ host: address.host, port: address.port, exclusive: true })
  try {
    await once(admin, 'listening')
  } catch (error) {
    throw cannotListen(error, `${address.host}:${address.port}`, 'server.admin')
  }
}

async function closeAll(parts: {
  admin: Server
  recorder: Recorder
  simulator: SimulatorThread
}): Promise<void> {
  await parts.recorder.close()
  await parts.simulator.close()
  parts.admin.close()
  parts.admin.closeAllConnections()
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

function shown(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
