import type { Dispatcher } from 'undici'
import { GatewayError } from '../errors.ts'
import type { Attempt } from '../exchange.ts'
import type { Target } from './compile-models.ts'
import { forwardedQuery } from './forwarded-query.ts'
import type { HttpExchange } from './http-exchange.ts'
import type { ReadRequest } from './read-request.ts'
import { upstreamError } from './upstream-errors.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** Takes an upstream's answer as it comes. Exactly one of `end` and `fail` is called, and is last. */
export interface AnswerSink {
  start(status: number, headers: Headers): void
  data(chunk: Buffer): void
  end(): void
  fail(error: GatewayError): void
}

/** What a sink may do to the call whose answer it takes. */
export interface Flow {
  pause(): void
  resume(): void
  /** Nothing more is wanted of the answer. */
  discard(): void
}

/** Calls the target once. The sink gets whatever comes of it. */
export function callUpstream(
  exchange: HttpExchange,
  { target, request }: { target: Target; request: ReadRequest },
  open: (flow: Flow) => AnswerSink,
): void {
  const call = new UpstreamCall(exchange, target)
  call.sink = open(call)
  const { forward, contentType, anthropicVersion } = exchange.headers
  const headers = [...forward, 'content-type', contentType ?? 'application/json']
  for (let index = 0; index < target.upstream.headers.length; index += 2) {
    const name = target.upstream.headers[index] ?? ''
    if (name === 'anthropic-version' && anthropicVersion !== null) continue
    headers.push(name, target.upstream.headers[index + 1] ?? '')
  }
  try {
    target.upstream.pool.dispatch(
      {
        path: pathOf(target, exchange),
        method: 'POST',
        headers,
        body: withModel(request, target),
      },
      call,
    )
  } catch (error) {
    call.onResponseError(null, error as Error)
  }
}

function pathOf({ upstream }: Target, { wireFormat, query }: HttpExchange): string {
  const path = upstream.paths[wireFormat.name] ?? ''
  return query === '' ? path : path + forwardedQuery(query)
}

/** The client's own bytes, with the model's name in the place of the one that the client used. */
function withModel({ bytes, model, modelSpan }: ReadRequest, target: Target): Buffer {
  if (model === target.model) return bytes
  const { start, end } = modelSpan
  return Buffer.concat([bytes.subarray(0, start), target.modelJson, bytes.subarray(end)])
}

/** What is read of an unwanted answer so that its connection can serve again: bytes, and for how long. */
const worthDraining = 64 * 1024
const drainForMs = 1_000

class UpstreamCall implements Dispatcher.DispatchHandler, Flow {
  sink: AnswerSink | null = null
  readonly #exchange: HttpExchange
  readonly #target: Target
  readonly #attempt: Attempt
  readonly #begunAt: number
  readonly #totalDeadline: number
  #controller: Dispatcher.DispatchController | null = null
  #paused = false
  #answering = false
  #discarded = 0
  #giveUp: NodeJS.Timeout | undefined

  constructor(exchange: HttpExchange, target: Target) {
    this.#exchange = exchange
    this.#target = target
    this.#attempt = { target: target.label, status: null, firstByteMs: null, error: null }
    this.#begunAt = exchange.plane.clock.elapsed()
    this.#totalDeadline = this.#begunAt + (this.#timeouts.total ?? Infinity)
    exchange.record.attempts.push(this.#attempt)
    exchange.onCancel = (reason) => this.#stop(reason)
    exchange.onExpire = () => this.#stop(this.#timeout())
    exchange.deadline = Math.min(this.#begunAt + this.#timeouts.firstToken, this.#totalDeadline)
  }

  get #timeouts() {
    return this.#target.upstream.rule.timeouts
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.sink === null) controller.abort(new Error('no longer wanted'))
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Headers,
  ): void {
    if (status < 200) return
    this.#attempt.status = status
    this.#attempt.firstByteMs = this.#sinceBegin()
    this.#exchange.record.upstreamFirstByteMs = this.#attempt.firstByteMs
    this.sink?.start(status, headers)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.sink === null) {
      this.#discarded += chunk.length
      if (this.#discarded > worthDraining) controller.abort(new Error('no longer wanted'))
      return
    }
    this.#answering = true
    if (!this.#paused) this.#limit(this.#timeouts.idle)
    this.sink.data(chunk)
  }

  onResponseEnd(): void {
    clearTimeout(this.#giveUp)
    this.#settle()?.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    clearTimeout(this.#giveUp)
    const failure = upstreamError(error, this.#target.upstream.name)
    this.#attempt.error = failure.word
    this.#settle()?.fail(failure.error)
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#controller?.pause()
    this.#limit(this.#exchange.plane.rules.timeouts.body)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#limit(this.#timeouts.idle)
    this.#controller?.resume()
  }

  discard(): void {
    this.#settle()
    const abort = () => this.#controller?.abort(new Error('no longer wanted'))
    if (this.#paused) abort()
    else this.#giveUp = setTimeout(abort, drainForMs)
  }

  #stop(reason: GatewayError): void {
    this.#attempt.error ??= reason.code
    const sink = this.#settle()
    this.#controller?.abort(reason)
    sink?.fail(reason)
  }

  /** Takes the sink away, so that it is told its end once. */
  #settle(): AnswerSink | null {
    const { sink } = this
    if (sink === null) return null
    this.sink = null
    this.#exchange.onCancel = null
    this.#exchange.onExpire = null
    this.#exchange.deadline = Infinity
    this.#exchange.waited(this.#begunAt)
    return sink
  }

  #limit(milliseconds: number): void {
    const { lastSweep, sweepEvery } = this.#exchange.plane.deadlines
    // The last sweep may be as long ago as they are apart: a limit is never early.
    this.#exchange.deadline = Math.min(lastSweep + sweepEvery + milliseconds, this.#totalDeadline)
  }

  #timeout(): GatewayError {
    if (this.#paused && this.#exchange.plane.clock.elapsed() < this.#totalDeadline) {
      return new GatewayError('client_closed', 'The client stopped taking its answer.')
    }
    const what = this.#answering ? 'went silent' : 'did not answer'
    return new GatewayError(
      'upstream_timeout',
      `The model's provider ${what} in time; try again.`,
      {
        why: `provider "${this.#target.upstream.name}" ${what} within its timeouts`,
      },
    )
  }

  #sinceBegin(): number {
    return this.#exchange.plane.clock.elapsed() - this.#begunAt
  }
}
