import type { Principal } from '../exchange.ts'
import { admit } from './admit.ts'
import { authenticate } from './authenticate.ts'
import { authorize } from './authorize.ts'
import { fail, recordFailure } from './fail.ts'
import { findRoute, unknownPath, wrongMethod, type Route } from './find-route.ts'
import type { HttpExchange } from './http-exchange.ts'
import { sendModels } from './list-models.ts'
import { readRequest } from './read-request.ts'
import { relay } from './respond.ts'
import { selectTarget } from './select-target.ts'

/** A name can be as long as a body; a record tells no more of it than this. */
const longestRecorded = 512

/** One exchange, from its headers to the last byte of its answer. Read this first. Never rejects. */
export async function handle(exchange: HttpExchange): Promise<void> {
  try {
    const route = enter(exchange)
    const principal = identify(exchange)
    exchange.stage = 'admit'
    admit(exchange)
    if (route.endpoint === 'models') sendModels(exchange, principal)
    else await answer(exchange, route, principal)
  } catch (error) {
    fail(exchange, error)
  }
  if (exchange.record.outcome === 'completed' && exchange.unsentBytes > 0) await deliver(exchange)
  exchange.close()
}

/** The answer is complete, but its client takes it slowly: the exchange lasts until it has it. */
async function deliver(exchange: HttpExchange): Promise<void> {
  const lost = await exchange.delivered()
  if (lost !== null) recordFailure(exchange.record, lost)
}

/** A call of a model: read, decided, recorded as decided, and only then sent anywhere. */
async function answer(exchange: HttpExchange, route: Route, principal: Principal): Promise<void> {
  const { record, plane } = exchange
  exchange.stage = 'read'
  const request = await readRequest(exchange)
  // From here to the call nothing is awaited: one set of rules decides, and its upstreams are open.
  const { rules, grants, models } = plane
  record.snapshot = rules.hash
  record.model = request.model.slice(0, longestRecorded)
  record.stream = request.stream

  exchange.stage = 'authorize'
  const model = models(request.model)
  exchange.judged(
    'allow',
    authorize(principal, { endpoint: route.endpoint, model: model.name }, grants),
  )

  exchange.stage = 'route'
  const target = selectTarget(model, route.wireFormat.name)
  record.target = target.label
  record.targetWhy = target.why

  exchange.decided()
  await relay(exchange, { target, request })
}

function enter(exchange: HttpExchange): Route {
  const { record, request } = exchange
  exchange.stage = 'route'
  const route = findRoute(exchange.path)
  if (route === null) throw unknownPath()
  exchange.wireFormat = route.wireFormat
  record.protocol = route.wireFormat.name
  record.endpoint = route.endpoint
  if (request.method !== route.method) {
    exchange.allowedMethod = route.method
    throw wrongMethod(route)
  }
  return route
}

function identify(exchange: HttpExchange): Principal {
  const { plane, record, headers, query } = exchange
  exchange.stage = 'authenticate'
  const principal = authenticate(headers, query, {
    directory: plane.directory,
    now: record.startedAt,
  })
  record.principal = principal
  exchange.judged('allow', 'key')
  return principal
}
