import { GatewayError } from '../errors.ts'
import type { Protocol } from '../exchange.ts'
import type { ResolvedModel } from './resolve-model.ts'
import type { Upstream, Upstreams } from './upstreams.ts'

export interface Target {
  readonly upstream: Upstream
  /** The name that the upstream knows the model by. */
  readonly model: string
  /** `provider/model`, as records name it. */
  readonly label: string
  /** Why this one, in words. */
  readonly why: string
  /** Path and query of the call. */
  readonly path: string
}

/** The first target. It must speak the client's own format: nothing is translated. */
export function selectTarget(
  { targets, name }: ResolvedModel,
  format: Protocol,
  upstreams: Upstreams,
): Target {
  const [first] = targets
  const upstream = first && upstreams.get(first.provider)
  if (!first || !upstream) {
    throw new GatewayError('upstream_unavailable', 'No target is left for this model.')
  }
  const path = upstream.paths[format]
  if (path === undefined) throw cannotTranslate(format, upstream)
  return {
    upstream,
    model: first.model,
    label: `${first.provider}/${first.model}`,
    why: name === `${first.provider}/${first.model}` ? 'named by the caller' : 'the first target',
    path,
  }
}

function cannotTranslate(format: Protocol, upstream: Upstream): GatewayError {
  const spoken = Object.keys(upstream.paths).join(', ')
  return new GatewayError(
    'not_supported',
    `The model's provider speaks ${spoken}, and this path takes ${format}: translation between ` +
      `formats is not supported yet. Call the model with a client of its provider's format.`,
    { why: `provider "${upstream.name}" speaks ${spoken}, the client ${format}` },
  )
}
