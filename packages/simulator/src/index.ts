export { startReplay, type RecordedExchange, type ReplayOptions } from './replay.ts'
export type { RecordedRequest, Simulator } from './server.ts'
export { startSimulator, type SimulatorOptions } from './simulator.ts'
