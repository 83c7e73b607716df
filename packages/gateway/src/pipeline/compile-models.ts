import { GatewayError } from '../errors.ts'
import type { Rules } from '../exchange.ts'
import type { Upstream, Upstreams } from './upstreams.ts'

/** What a name that a client sent stands for: where to call, in order of preference. */
export interface ResolvedModel {
  readonly name: string
  readonly targets: readonly Target[]
}

/** A model of a provider. */
export interface Target {
  readonly upstream: Upstream
  /** The name that the upstream knows the model by. */
  readonly model: string
  /** That name as JSON, ready to be spliced into a request. */
  readonly modelJson: Buffer
  /** `provider/model`, as records name it. */
  readonly label: string
  /** Why it is called, in words. */
  readonly why: string
}

/** Resolves a name; throws when it stands for nothing. */
export type Models = (name: string) => ResolvedModel

/** Longer names are no names; refused before they are matched against anything. */
const longestName = 512

/**
 * An entry of `models` with exactly this name; otherwise what stands before the first `/` is a
 * provider and all the rest is the name that is sent upstream.
 */
export function compileModels(rules: Rules, upstreams: Upstreams): Models {
  const entries = new Map<string, ResolvedModel>()
  for (const [name, { targets }] of Object.entries(rules.models)) {
    entries.set(name, {
      name,
      targets: targets.flatMap(({ provider, model }) => {
        const upstream = upstreams.get(provider)
        return upstream === undefined ? [] : [openTarget(upstream, model, 'the first target')]
      }),
    })
  }

  return (name) => {
    const entry = entries.get(name) ?? direct(upstreams, name)
    if (entry !== null) return entry
    throw isVersionOf(entries, name) ? unknownVersion() : unknownModel()
  }
}

/** `provider/model`: the model's name may hold anything, slashes included. */
function direct(upstreams: Upstreams, name: string): ResolvedModel | null {
  const slash = name.indexOf('/')
  if (slash <= 0 || slash === name.length - 1 || name.length > longestName) return null
  const upstream = upstreams.get(name.slice(0, slash))
  if (upstream === undefined) return null
  return { name, targets: [openTarget(upstream, name.slice(slash + 1), 'named by the caller')] }
}

function openTarget(upstream: Upstream, model: string, why: string): Target {
  const modelJson = Buffer.from(JSON.stringify(model))
  return { upstream, model, modelJson, label: `${upstream.name}/${model}`, why }
}

function isVersionOf(entries: ReadonlyMap<string, ResolvedModel>, name: string): boolean {
  const at = name.lastIndexOf('@')
  return at > 0 && entries.has(name.slice(0, at))
}

function unknownVersion(): GatewayError {
  return new GatewayError(
    'version_not_found',
    'The model exists, but not in this version; leave the version out, or see GET /v1/models.',
  )
}

function unknownModel(): GatewayError {
  return new GatewayError(
    'model_not_found',
    'There is no model of this name here; GET /v1/models lists those that you may use.',
  )
}
