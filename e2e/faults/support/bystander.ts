import { within } from '../../support/eventually.ts'
import type { World } from '../../support/world.ts'

/** Somebody else's stream, slow and long: whatever others do, it goes on. */
export interface Bystander {
  /** Fails unless the stream is open and new bytes come. */
  assertGoesOn(): Promise<void>
  leave(): Promise<void>
}

const model = 'sim-anthropic/lorem;sim:length=40000,tps=200'

export async function startBystander(world: World): Promise<Bystander> {
  const leaving = new AbortController()
  const response = await world.fetch('/v1/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      max_tokens: 40_000,
      stream: true,
      messages: [{ role: 'user', content: 'Take your time.' }],
    }),
    signal: leaving.signal,
  })
  if (response.status !== 200) throw new Error(`The bystander got ${response.status}.`)

  let tell: () => void = () => undefined
  const more = () => new Promise<void>((resolve) => (tell = resolve))
  let end: string | null = null
  const read = async () => {
    for await (const _ of response.body ?? []) tell()
  }
  const reading = read()
    .then(
      () => (end = 'ended'),
      (error: unknown) => (end = String(error)),
    )
    .finally(() => tell())
  return {
    async assertGoesOn() {
      if (end === null) await within(5_000, "more of the bystander's stream", more())
      if (end !== null) throw new Error(`The bystander's stream did not survive: ${end}`)
    },
    async leave() {
      leaving.abort()
      await reading
    },
  }
}
