import { once } from 'node:events'
import { createServer } from 'node:net'

/** A start that cannot go on, in words for the person who started it. */
export class StartError extends Error {}

/**
 * Binds the port alone for a moment: workers share it, and a second gateway would share it too,
 * silently. Answers with the port, chosen by the system where 0 was asked for.
 */
export async function claimPort(
  { host, port }: { readonly host: string; readonly port: number },
  setting: string,
): Promise<number> {
  const probe = createServer()
  probe.listen({ host, port, exclusive: true })
  try {
    await once(probe, 'listening')
  } catch (error) {
    throw cannotListen(error, `${host}:${port}`, setting)
  }
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address !== null ? address.port : port
}

export function cannotListen(error: unknown, address: string, setting: string): StartError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  const why =
    code === 'EADDRINUSE'
      ? 'something listens there already, maybe another Sluice'
      : `the system says ${code}`
  return new StartError(
    `Cannot listen on ${address}: ${why}. Stop it, or choose another address with ${setting}.`,
    { cause: error },
  )
}
