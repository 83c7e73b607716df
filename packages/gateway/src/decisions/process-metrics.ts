import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'

/** What only the main thread knows at the moment of a scrape. */
export interface GatewayGauges {
  readonly exchangesInFlight: number
  /** Since the start: bytes on a connection that never became a request. */
  readonly unparsableRequests: number
}

/** Metrics of the process and of the main thread's event loop: they must be read where they are. */
export interface ProcessMetrics {
  text: (gauges: GatewayGauges) => Promise<string>
}

export function createProcessMetrics(): ProcessMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
  const inFlight = new Gauge({
    name: 'sluice_exchanges_in_flight',
    help: 'Exchanges that have begun and not ended.',
    registers: [registry],
  })
  const unparsable = new Counter({
    name: 'sluice_unparsable_requests_total',
    help: 'Bytes on a connection that never became a request; they leave no decision record.',
    registers: [registry],
  })

  return {
    text({ exchangesInFlight, unparsableRequests }) {
      inFlight.set(exchangesInFlight)
      unparsable.reset()
      unparsable.inc(unparsableRequests)
      return registry.metrics()
    },
  }
}
