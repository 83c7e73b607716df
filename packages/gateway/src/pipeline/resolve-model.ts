import { GatewayError } from '../errors.ts'
import type { Rules } from '../exchange.ts'

/** What a name that a client sent stands for: where to call, in order of preference. */
export interface ResolvedModel {
  readonly name: string
  readonly targets: readonly { readonly provider: string; readonly model: string }[]
}

/** Longer names are no names; refused before they are matched against anything. */
const longestName = 512

/**
 * An entry of `models` with exactly this name; otherwise what stands before the first `/` is a
 * provider and all the rest is the name that is sent upstream.
 */
export function resolveModel(rules: Rules, name: string): ResolvedModel {
  if (name.length <= longestName) {
    if (Object.hasOwn(rules.models, name)) {
      return { name, targets: rules.models[name]?.targets ?? [] }
    }
    const slash = name.indexOf('/')
    const provider = name.slice(0, slash)
    if (slash > 0 && slash < name.length - 1 && Object.hasOwn(rules.providers, provider)) {
      return { name, targets: [{ provider, model: name.slice(slash + 1) }] }
    }
    const at = name.lastIndexOf('@')
    if (at > 0 && Object.hasOwn(rules.models, name.slice(0, at))) {
      throw new GatewayError(
        'version_not_found',
        'The model exists, but not in this version; leave the version out, or see GET /v1/models.',
      )
    }
  }
  throw new GatewayError(
    'model_not_found',
    'There is no model of this name here; GET /v1/models lists those that you may use.',
  )
}
