import { RequestRefused, type Asked } from './answer.ts'
import { answer, behaviourOf, behaviours, type Behaviour } from './behaviours.ts'
import {
  composeFailure,
  composeJson,
  composeStream,
  composeWhole,
  type Staging,
} from './compose.ts'
import type { Delivery } from './delivery.ts'
import { formatOf, formats } from './formats/index.ts'
import { isObject, type JsonObject } from './json.ts'
import { readOptions, splitModel, type Options } from './options.ts'
import { createRandom, hexDigits, randomWord } from './random.ts'
import { startServer, type RecordedRequest, type ServerOptions, type Simulator } from './server.ts'

export interface SimulatorOptions extends ServerOptions {
  /** What the texts, the ids and the random cuts are drawn from; 1 unless said. */
  readonly seed?: number | undefined
}

const modelsPath = '/v1/models'

// The clock is made up too, so that the same requests get the same bytes.
const epoch = 1_767_225_600

/** Starts an HTTP server that answers as the providers do; the model's name says how. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const seed = options.seed ?? 1
  let number = 0
  return startServer(async (request, isTooLarge) => {
    number += 1
    const staging = stage(request, { seed, number })
    try {
      if (isTooLarge) throw new RequestRefused({ status: 413 })
      return await respond(request, staging)
    } catch (error) {
      if (!(error instanceof RequestRefused)) throw error
      return composeFailure(error.failure, staging)
    }
  }, options)
}

function stage(
  request: RecordedRequest,
  { seed, number }: { readonly seed: number; readonly number: number },
): Staging {
  const { method } = request
  const path = pathOf(request)
  const random = createRandom(seed + number * 7919)
  const scene = {
    asked: { includeUsage: false },
    model: '',
    method,
    path,
    created: epoch + number,
    random,
    nonce: randomWord(random, 32, hexDigits),
  }
  return { format: formatOf(path, request.headers), scene, options: {}, seed }
}

function pathOf({ path }: RecordedRequest): string {
  const query = path.indexOf('?')
  return query === -1 ? path : path.slice(0, query)
}

async function respond(request: RecordedRequest, staging: Staging): Promise<Delivery> {
  const { path } = staging.scene
  if (path === modelsPath || path.startsWith(`${modelsPath}/`)) {
    return respondModels(request, staging)
  }
  if (!formats.some((format) => format.path === path)) throw new RequestRefused({ status: 404 })
  if (request.method !== 'POST') throw new RequestRefused({ status: 405 })

  const asked = staging.format.read(parseBody(request.body))
  return perform(request, prepare(request, asked, staging))
}

interface Performance extends Staging {
  readonly asked: Asked
  readonly behaviour: Behaviour
}

function prepare(request: RecordedRequest, asked: Asked, staging: Staging): Performance {
  const { name, suffix } = splitModel(asked.model)
  const behaviour = behaviourOf(name)
  const options: Options = { ...behaviour.presets, ...readOptions(suffix, request.headers) }
  const own = options.seed === undefined ? {} : fromSeed(options.seed)
  return {
    ...staging,
    asked,
    behaviour,
    options,
    fault: behaviour.fault,
    seed: options.seed ?? staging.seed,
    scene: { ...staging.scene, asked, model: name, ...own },
  }
}

/** A request that brings its own seed gets the same bytes whenever it is sent. */
function fromSeed(seed: number) {
  const random = createRandom(seed)
  return { random, created: epoch, nonce: randomWord(random, 32, hexDigits) }
}

async function perform(request: RecordedRequest, performance: Performance): Promise<Delivery> {
  const { asked, behaviour, options, scene, format, fault, seed } = performance
  if (fault === 'hang') return { status: 200, headers: {}, writes: [], end: 'hang' }
  if (options.redirect !== undefined) {
    const headers = { ...format.headers(scene, 307), location: options.redirect }
    return { status: options.status ?? 307, headers, writes: [], latency: options.latency }
  }
  if (options.status !== undefined && options.status >= 400) {
    return composeFailure({ status: options.status }, performance)
  }
  const answers = answer(behaviour, { asked, options, arrived: () => arrivedAsJson(request) }, seed)
  return (asked.stream ? composeStream : composeWhole)(answers, performance)
}

/** The body as it was sent, so that not even the spelling of its numbers is lost. */
function arrivedAsJson({ path, headers, body }: RecordedRequest): string {
  const before = JSON.stringify({ path, headers }).slice(0, -1)
  return `${before},"body":${body.toString()}}`
}

function parseBody(body: Buffer): JsonObject {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString())
  } catch {
    parsed = undefined
  }
  if (isObject(parsed)) return parsed
  throw new RequestRefused({
    status: 400,
    message: 'We could not parse the JSON body of your request.',
  })
}

async function respondModels(request: RecordedRequest, staging: Staging): Promise<Delivery> {
  if (request.method !== 'GET') throw new RequestRefused({ status: 405 })
  const { format, scene } = staging
  const name = scene.path.slice(modelsPath.length + 1).replaceAll('%3B', ';')
  const names = Object.keys(behaviours).filter((known) => !known.includes('<'))
  const text = name === '' ? format.encodeModels(names) : format.encodeModel(name)
  return composeJson(staging, { text, status: 200, at: 0 })
}
