import { anthropicMessages } from './anthropic-messages/format.ts'
import type { Format } from './format.ts'
import { openaiChat } from './openai-chat/format.ts'

/** Every format that the simulator speaks, by the path it is asked on. */
export const formats: readonly Format[] = [openaiChat, anthropicMessages]

/** Whose words to use where the path says nothing: Anthropic's clients all send their version. */
export function formatOf(path: string, headers: { readonly [name: string]: unknown }): Format {
  const exact = formats.find((format) => format.path === path)
  if (exact) return exact
  const isAnthropic =
    'anthropic-version' in headers || path.startsWith(`${anthropicMessages.path}/`)
  return isAnthropic ? anthropicMessages : openaiChat
}
