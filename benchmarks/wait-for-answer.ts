import { setTimeout as sleep } from 'node:timers/promises'
import type { Target } from './load/requests.ts'
import type { Running } from './processes.ts'

const limitMs = 30_000
const sought = '"chat.completion'

/** Waits until a started server answers a chat request with a chat completion. */
export async function waitForAnswer(server: Running, target: Target, body: string): Promise<void> {
  const end = performance.now() + limitMs
  let last = 'nothing'
  while (performance.now() < end && server.process.exitCode === null) {
    last = await ask(target, body)
    if (last.startsWith('200') && last.includes(sought)) return
    await sleep(100)
  }
  await server.stop()
  throw new Error(
    `No chat completion from ${target.url}; the last answer was ${last.slice(0, 500)}. ` +
      `The server printed: ${server.output().slice(-2000)}`,
  )
}

async function ask(target: Target, body: string): Promise<string> {
  try {
    const response = await fetch(target.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...target.headers },
      body,
      signal: AbortSignal.timeout(5000),
    })
    let text = `${response.status} `
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (response.ok && text.includes(sought)) break // a stream may go on for long
    }
    return text
  } catch (error) {
    return String(error)
  }
}
