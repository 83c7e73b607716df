import { GatewayError } from '../errors.ts'
import type { Protocol } from '../exchange.ts'
import type { ResolvedModel, Target } from './compile-models.ts'
import type { Upstream } from './upstreams.ts'

/** The first target. It must speak the client's own format: nothing is translated. */
export function selectTarget({ targets }: ResolvedModel, format: Protocol): Target {
  const [target] = targets
  if (target === undefined) {
    throw new GatewayError('upstream_unavailable', 'No target is left for this model.')
  }
  if (target.upstream.paths[format] === undefined) throw cannotTranslate(format, target.upstream)
  return target
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
