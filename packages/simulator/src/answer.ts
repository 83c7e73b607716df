/** What a request asked for, in words that every format shares. */
export interface Asked {
  /** As it was sent, with the options that may hang on it. */
  readonly model: string
  readonly stream: boolean
  /** Whether a stream reports usage. */
  readonly includeUsage: boolean
  /** How many answers. */
  readonly choices: number
  readonly maxTokens: number | undefined
  readonly lastUserText: string
  /** The text of the tool results that the conversation ends with, if it does. */
  readonly toolResult: string | undefined
  /** The tools that may be called: none where the request forbids it, one where it names it. */
  readonly tools: readonly OfferedTool[]
  readonly inputTokens: number
}

interface OfferedTool {
  readonly name: string
  /** The JSON Schema of its arguments. */
  readonly schema: unknown
}

/** What a model says, before a format puts it into bytes. */
export interface Answer {
  readonly blocks: readonly Block[]
  readonly finish: 'stop' | 'length' | 'tool-calls'
  readonly usage: Usage
}

export type Block =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'tool-call'; readonly name: string; readonly arguments: string }

export interface Usage {
  readonly input: number
  /** Includes what was spent on reasoning. */
  readonly output: number
  readonly reasoning: number
}

/** Why a request gets no answer. A format has its own words where the message is left out. */
export interface Failure {
  readonly status: number
  readonly message?: string | undefined
  readonly code?: string | undefined
  /** The part of the request that is at fault. */
  readonly param?: string | undefined
}

/** Thrown where a request turns out to be wrong; caught once, and said in the format's envelope. */
export class RequestRefused extends Error {
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.message ?? `status ${failure.status}`)
    this.failure = failure
  }
}
