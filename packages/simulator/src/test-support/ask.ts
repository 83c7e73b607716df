import type { Simulator } from '../index.ts'
import type { JsonObject } from '../json.ts'

/** Parts of the request's body; `headers` apart. */
interface Ask {
  readonly headers?: Record<string, string>
  readonly [key: string]: unknown
}

const hello = [{ role: 'user', content: 'Grüß dich 👋' }]

/** Asks a simulator as a client of OpenAI would. */
export function chat(simulator: Simulator, model: string, more: Ask = {}): Promise<Response> {
  return post(`${simulator.url}/v1/chat/completions`, { model, messages: hello, ...more })
}

/** Asks a simulator as a client of Anthropic would. */
export function messages(simulator: Simulator, model: string, more: Ask = {}): Promise<Response> {
  const body = { model, messages: hello, max_tokens: 1000, ...more }
  return post(`${simulator.url}/v1/messages`, body)
}

function post(url: string, { headers = {}, ...body }: Ask): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    redirect: 'manual',
  })
}

/** The events of a stream whose lines end in LF, without `[DONE]`. */
export async function payloads(response: Response): Promise<readonly JsonObject[]> {
  const stream = await response.text()
  return stream
    .split('\n')
    .filter((line) => line.startsWith('data: ') && line !== 'data: [DONE]')
    .map((line) => JSON.parse(line.slice('data: '.length)) as JsonObject)
}

/** What became of an answer: its text as far as it came, and whether it ended as it should. */
export async function readAsFarAsItComes(response: Response) {
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
    return { text, isWhole: true }
  } catch {
    return { text, isWhole: false }
  }
}
