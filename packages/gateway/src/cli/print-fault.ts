import { ConfigurationError } from '../snapshot/fault.ts'
import { StartError } from '../workers/claim-port.ts'

/** Tells a person what is wrong, without the stack of an error that was foreseen. */
export function printFault(error: unknown): void {
  if (error instanceof ConfigurationError) {
    console.error(error.message)
    return
  }
  if (error instanceof StartError) {
    console.error(error.message)
    return
  }
  console.error(error instanceof Error ? (error.stack ?? error.message) : String(error))
}
