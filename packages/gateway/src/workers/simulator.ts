import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Rules } from '../exchange.ts'
import { threadEntry } from '../lib/thread-entry.ts'

/** The upstream of providers of type `simulator`, started when the first of them is configured. */
export class SimulatorThread {
  #thread: Worker | null = null
  #url: Promise<string> | null = null

  /** The rules with the simulator's address in the place of the one that they leave open. */
  async complete(rules: Rules): Promise<Rules> {
    if (Object.values(rules.providers).every(({ baseUrl }) => baseUrl !== null)) return rules
    const url = await (this.#url ??= this.#start())
    const providers = Object.entries(rules.providers).map(([name, provider]) => [
      name,
      { ...provider, baseUrl: provider.baseUrl ?? url },
    ])
    return { ...rules, providers: Object.fromEntries(providers) as Rules['providers'] }
  }

  async close(): Promise<void> {
    await this.#thread?.terminate()
  }

  async #start(): Promise<string> {
    this.#thread = new Worker(threadEntry('./simulator-thread', import.meta.url), {
      name: 'sluice-simulator',
    })
    const [url] = (await once(this.#thread, 'message')) as [string]
    return url
  }
}
