import { join } from 'node:path'
import { start } from '../processes.ts'
import { type Candidate, serverCandidate } from './candidate.ts'
import { installOnce } from './install.ts'
import { findNode20 } from './node-20.ts'

const version = '1.15.2'

/** On the Node of its own container image, and on the one that Sluice runs on. */
export const portkeyOnNode20 = portkey('20', findNode20)
export const portkeyOnNode24 = portkey('24', () => Promise.resolve(process.execPath))

function portkey(major: string, findNode: () => Promise<string>): Candidate {
  return serverCandidate(`Portkey ${version}, Node ${major}`, async (_bench, options) => {
    const folder = await installOnce(`portkey-${version}`, '@portkey-ai/gateway', version)
    const running = start({
      command: await findNode(),
      args: [join(folder, 'build', 'start-server.js'), `--port=${options.port}`, '--headless'],
      cores: options.cores,
      cwd: folder,
      env: { NODE_ENV: 'production' },
    })
    return {
      running,
      headers: {
        authorization: 'Bearer x',
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': `${options.upstream.origin}/v1`,
      },
    }
  })
}
