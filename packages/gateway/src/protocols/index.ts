import type { Protocol } from '../exchange.ts'
import type { WireFormat } from '../protocol.ts'
import { anthropicMessages } from './anthropic-messages/wire-format.ts'
import { openaiChat } from './openai-chat/wire-format.ts'

/** One line each. */
export const wireFormats: Readonly<Record<Protocol, WireFormat>> = {
  'openai-chat': openaiChat,
  'anthropic-messages': anthropicMessages,
}
