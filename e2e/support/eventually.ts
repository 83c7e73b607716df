import { setTimeout as sleep } from 'node:timers/promises'

const lookEveryMs = 20

/** Waits until `look` answers with something, and fails with `what` when it never does. */
export async function eventually<Found>(
  what: string,
  look: () => Found | null | undefined | false | Promise<Found | null | undefined | false>,
  { within = 5_000 }: { readonly within?: number } = {},
): Promise<Found> {
  const until = performance.now() + within
  for (;;) {
    const found = await look()
    if (found !== null && found !== undefined && found !== false) return found
    if (performance.now() > until) throw new Error(`Within ${within} ms it never came: ${what}`)
    await sleep(lookEveryMs)
  }
}

/** The promise's value, or a failure that says what took too long. */
export async function within<Value>(
  milliseconds: number,
  what: string,
  promise: Promise<Value>,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Within ${milliseconds} ms it never came: ${what}`)),
      milliseconds,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
