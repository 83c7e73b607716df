import { pino, type DestinationStream, type Logger } from 'pino'

export type Log = Logger

/**
 * The gateway's own log: JSON lines on stderr, so that what a command prints stays apart; plain
 * lines for a person at a terminal. It never holds keys, credentials or texts of exchanges.
 */
export function createLog(level: string, output: NodeJS.WriteStream = process.stderr): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return pino(
    options,
    output.isTTY ? plainLines(output) : pino.destination({ dest: 2, sync: true }),
  )
}

function plainLines(output: NodeJS.WriteStream): DestinationStream {
  return {
    write(line) {
      const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>
      const name = pino.levels.labels[Number(level)] ?? 'log'
      const more = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
      output.write(`${[String(time), name, String(msg), ...more].join(' ')}\n`)
    },
  }
}
