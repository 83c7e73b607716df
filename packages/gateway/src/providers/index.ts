import type { ProviderType } from '../exchange.ts'
import type { Provider } from '../provider.ts'
import { anthropic } from './anthropic.ts'
import { openAICompatible } from './openai-compatible.ts'
import { simulator } from './simulator.ts'

/** One line each. */
export const providers: Readonly<Record<ProviderType, Provider>> = {
  openai: openAICompatible('openai'),
  'openai-compatible': openAICompatible('openai-compatible'),
  anthropic,
  simulator,
}
