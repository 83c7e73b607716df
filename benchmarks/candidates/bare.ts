import { join } from 'node:path'
import { start } from '../processes.ts'
import { serverCandidate } from './candidate.ts'

const program = join(import.meta.dirname, '..', 'bare-proxy.ts')

export const bare = serverCandidate(
  'bare node:http + undici',
  (_bench, { port, upstream, cores }) =>
    Promise.resolve({
      running: start({
        command: process.execPath,
        args: [program, `${port}`, upstream.origin],
        cores,
      }),
    }),
)
