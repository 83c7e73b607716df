/** Where every candidate takes chat requests. */
export const chatPath = '/v1/chat/completions'

/** The model that callers ask for; Sluice puts `upstreamModel` in its place. */
export const model = 'bench'
export const upstreamModel = 'bench-upstream-model'

const chat = {
  model,
  messages: [
    { role: 'system', content: 'You are a helpful assistant that answers in one sentence.' },
    {
      role: 'user',
      content: 'What does a proxy do, and why would anybody want to run one in front of a model?',
    },
  ],
  temperature: 0.2,
  max_tokens: 128,
  user: 'load',
}

/** About 300 bytes. */
export const chatRequest = JSON.stringify(chat)
export const streamRequest = JSON.stringify({ ...chat, stream: true })

/** Where to send requests, and what to send along. */
export interface Target {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}
