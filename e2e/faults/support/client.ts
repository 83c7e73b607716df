import type { FaultWorld } from './fault-world.ts'
import { dial, requestBytes, type RawConnection } from './raw-connection.ts'
import { pathOf, type Dialect } from './refusals.ts'

export interface Asked {
  readonly model: string
  readonly dialect?: Dialect
  readonly stream?: boolean
  readonly content?: string
}

/** The bytes of a call of a model that is itself without fault. */
export function callBytes(world: FaultWorld, asked: Asked): Buffer {
  const { model, dialect = 'openai', stream = false, content = 'Hello' } = asked
  const body = {
    model,
    ...(dialect === 'anthropic' && { max_tokens: 1000 }),
    ...(stream && { stream }),
    messages: [{ role: 'user', content }],
  }
  return requestBytes(world.key, { path: pathOf[dialect], body: JSON.stringify(body) })
}

/** Sends such a call on a connection of its own. */
export async function ask(world: FaultWorld, asked: Asked): Promise<RawConnection> {
  const connection = await dial(world.url)
  return connection.send(callBytes(world, asked))
}

/** Whether the last chunk of a body has come: what tells a client that the answer is whole. */
export function endsCleanly(connection: RawConnection): boolean {
  return connection.answers().at(-1)?.isWhole === true
}
