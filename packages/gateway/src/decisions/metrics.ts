import type { ClosedCounts } from './codec.ts'

/**
 * Metrics of exchanges, counted where their records are read. Kept in plain numbers and written out
 * here: a metrics library hashes labels at every count, and this runs for every exchange.
 */
export interface ExchangeMetrics {
  count: (closed: ClosedCounts) => void
  /** Prometheus' text form. `dropped` holds totals by reason. */
  text: (dropped: Readonly<Record<string, number>>) => string
}

const tokenClasses = ['input', 'cacheRead', 'cacheWrite', 'output', 'reasoning'] as const

/** Policies bring codes of their own: beyond so many combinations they are counted as `other`. */
const MOST_COMBINATIONS = 1000
const OTHER = 'other\tother\tother'

const UPSTREAM_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const GATEWAY_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5]

export function createExchangeMetrics(): ExchangeMetrics {
  const exchanges = new Map<string, { count: number }>()
  const tokens = [0, 0, 0, 0, 0]
  const upstream = createHistogram(UPSTREAM_SECONDS)
  const gateway = createHistogram(GATEWAY_SECONDS)

  function countOf(labels: string): { count: number } {
    const key = exchanges.size < MOST_COMBINATIONS ? labels : OTHER
    const known = exchanges.get(key)
    if (known !== undefined) return known
    const added = { count: 0 }
    exchanges.set(key, added)
    return added
  }

  return {
    count({ labels, gatewayMicros, firstByteTenths, tokens: used }) {
      const known = exchanges.get(labels) ?? countOf(labels)
      known.count += 1
      if (gatewayMicros >= 0) gateway.observe(gatewayMicros / 1e6)
      if (firstByteTenths >= 0) upstream.observe(firstByteTenths / 1e4)
      if (used[0] < 0) return
      for (let index = 0; index < 5; index++)
        tokens[index] = (tokens[index] ?? 0) + (used[index] ?? 0)
    },

    text: (dropped) =>
      [
        family('sluice_exchanges_total', 'counter', {
          help: 'Exchanges that ended. An empty code means that none was refused or failed.',
          samples: [...exchanges].map(([key, { count }]) => {
            const [verdict = '', code = '', protocol = ''] = key.split('\t')
            return sample({ verdict, code, protocol }, count)
          }),
        }),
        family('sluice_tokens_total', 'counter', {
          help: 'Tokens that providers reported, in disjoint classes.',
          samples: tokenClasses.map((name, index) => sample({ class: name }, tokens[index] ?? 0)),
        }),
        family('sluice_records_dropped_total', 'counter', {
          help: 'Lines of decision records and of the decision log that were dropped, by reason.',
          samples: Object.entries(dropped).map(([reason, count]) => sample({ reason }, count)),
        }),
        family('sluice_upstream_seconds', 'histogram', {
          help: 'Seconds from the call of the upstream to the first byte of its answer.',
          samples: upstream.samples(),
        }),
        family('sluice_gateway_seconds', 'histogram', {
          help: 'Seconds that the gateway itself spent on an exchange.',
          samples: gateway.samples(),
        }),
      ].join(''),
  }
}

function createHistogram(bounds: readonly number[]) {
  const counts = bounds.map(() => 0)
  let total = 0
  let sum = 0

  return {
    observe(value: number): void {
      total += 1
      sum += value
      let index = 0
      while (index < bounds.length && value > (bounds[index] ?? Infinity)) index += 1
      if (index < bounds.length) counts[index] = (counts[index] ?? 0) + 1
    },

    samples(): string[] {
      let below = 0
      const buckets = bounds.map((bound, index) => {
        below += counts[index] ?? 0
        return `_bucket${sample({ le: String(bound) }, below)}`
      })
      return [
        ...buckets,
        `_bucket${sample({ le: '+Inf' }, total)}`,
        `_sum ${sum}`,
        `_count ${total}`,
      ]
    },
  }
}

function family(
  name: string,
  type: 'counter' | 'histogram',
  { help, samples }: { readonly help: string; readonly samples: readonly string[] },
): string {
  const lines = samples.map((text) => `${name}${text}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}\n`
}

function sample(labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([name, text]) => `${name}="${escapeLabel(text)}"`)
  return `{${pairs.join(',')}} ${value}`
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
