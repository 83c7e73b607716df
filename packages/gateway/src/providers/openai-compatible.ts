import type { ProviderType } from '../exchange.ts'
import type { Provider } from '../provider.ts'

/** An upstream that speaks OpenAI's chat completions under a base URL that ends in `/v1` or the like. */
export function openAICompatible(type: ProviderType): Provider {
  return {
    type,
    endpoints: { 'openai-chat': '/chat/completions' },
    headers: (apiKey) => (apiKey === null ? [] : [['authorization', `Bearer ${apiKey}`]]),
  }
}
