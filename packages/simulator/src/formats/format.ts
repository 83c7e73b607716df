import type { Answer, Asked, Failure } from '../answer.ts'
import type { JsonObject } from '../json.ts'
import type { Random } from '../random.ts'

/** One provider's way of asking and answering: a pure value, one folder for each. */
export interface Format {
  readonly path: string
  /** Throws `RequestRefused` where the provider would. */
  read(body: JsonObject): Asked
  encodeWhole(answers: readonly Answer[], scene: Scene): string
  encodeStream(answers: readonly Answer[], scene: Scene): readonly StreamEvent[]
  encodeFailure(failure: Failure, scene: Scene): string
  /** The event that tells of a failure when the stream has begun. */
  failureEvent(scene: Scene): StreamEvent
  encodeModels(names: readonly string[]): string
  encodeModel(name: string): string
  /** What its answers carry besides the type of their content. */
  headers(scene: Scene, status: number): Record<string, string>
}

/** What is the same throughout one answer. */
export interface Scene {
  readonly asked: Pick<Asked, 'includeUsage'>
  /** The model's name without options, for the answer to say. */
  readonly model: string
  readonly method: string
  readonly path: string
  readonly created: number
  readonly random: Random
  /** 32 hexadecimal digits from which the answer's request id is made. */
  readonly nonce: string
}

export interface StreamEvent {
  /** The name on its `event:` line, where the format has one. */
  readonly event?: string
  readonly data: string
  /** How many tokens of the answer it brings, for the pace. */
  readonly tokens: number
  /** Ends the stream: `[DONE]`, `message_stop`. */
  readonly last?: true
}
