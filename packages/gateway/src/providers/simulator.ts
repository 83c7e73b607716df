import type { Provider } from '../provider.ts'

/** The built-in simulator: speaks every format, takes any credential or none. */
export const simulator: Provider = {
  type: 'simulator',
  endpoints: { 'openai-chat': '/v1/chat/completions', 'anthropic-messages': '/v1/messages' },
  headers: () => [],
}
