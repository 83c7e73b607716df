export { createGateway, type Gateway, type GatewayOptions } from './gateway.ts'
export { ConfigurationError, type Fault } from './snapshot/fault.ts'
