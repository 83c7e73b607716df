import { GatewayError } from '../errors.ts'
import type { HttpExchange } from './http-exchange.ts'

/** Takes one of the process's places for an exchange; it is given back when the exchange ends. */
export function admit(exchange: HttpExchange): void {
  if (exchange.takePlace()) return
  throw new GatewayError('overloaded', 'The gateway is at its limit; try again shortly.', {
    why: 'server.limits.exchanges reached',
  })
}
