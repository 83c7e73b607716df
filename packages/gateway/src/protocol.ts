import type { ErrorCode } from './errors.ts'
import type { Protocol, Usage } from './exchange.ts'

/**
 * What a wire format is to the gateway: how to check a request, how to refuse one, and what an
 * answer says about itself. Pure: bytes and values in, values out.
 */
export interface WireFormat {
  readonly name: Protocol
  /** Checks the JSON type of what the gateway reads; throws `invalid_request`. */
  checkBody(body: JsonObject): void
  /** How many answers the request asks for. */
  choices(body: JsonObject): number
  /** The body of a refusal, as this format's clients expect it. */
  refusal(refusal: Refusal): string
  /** The same, told in the middle of a stream that has begun: one whole event. */
  streamError(refusal: Refusal): string
  /** What a whole answer says about itself. */
  readAnswer(answer: JsonObject): AnswerFacts
  /** A reader of a streamed answer with so many choices. */
  readStream(choices: number): StreamReader
}

export type JsonObject = Readonly<Record<string, unknown>>

export interface Refusal {
  readonly code: ErrorCode
  readonly status: number
  readonly message: string
  readonly decisionId: string
}

/** Null where the answer does not say. */
export interface AnswerFacts {
  readonly model: string | null
  /** The provider's own word. */
  readonly finish: string | null
  readonly usage: Usage | null
}

/** Reads a stream as it passes. It may skip events that cannot say anything about these facts. */
export interface StreamReader {
  /** Whole events, in order. */
  read(events: Buffer): void
  readonly facts: AnswerFacts
  /** Whether the answer has come to its own end, so that what follows cannot be missed. */
  readonly complete: boolean
  /** Whether the upstream itself said, in an event, that it failed. */
  readonly failed: boolean
  /** Whether everything that was read could be read. */
  readonly parsed: boolean
}
