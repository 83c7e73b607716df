import { parentPort } from 'node:worker_threads'
import { startSimulator } from '@sluice/simulator'

/** The built-in simulator, on a free port of this machine only, in a thread of its own. */
const simulator = await startSimulator()
parentPort?.postMessage(simulator.url)
