import { upstreamModel } from '../load/requests.ts'

const head = {
  id: 'chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT',
  created: 1_795_000_000,
  model: upstreamModel,
  service_tier: 'default',
  system_fingerprint: 'fp_06737a9306',
}
const usage = {
  prompt_tokens: 51,
  completion_tokens: 42,
  total_tokens: 93,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
}

/** A chat completion of about 700 bytes. */
export const chatAnswer = JSON.stringify({
  ...head,
  object: 'chat.completion',
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content:
          'A proxy stands between two parties and hands on what each of them says, which makes it ' +
          'the one place where access can be granted, content checked and cost accounted for.',
        refusal: null,
        annotations: [],
      },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage,
})

/** The first and each following event of a stream, about 300 bytes, and what ends it. */
export const firstEvent = event({ role: 'assistant', content: '' })
export const nextEvent = event({ content: ' something' })
export const lastEvents =
  event({}, 'stop') +
  `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [], usage })}\n\n` +
  'data: [DONE]\n\n'

function event(delta: object, finish: string | null = null): string {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }]
  return `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices })}\n\n`
}
