import type { Path, Problem } from './fault.ts'
import { formatPath } from './fault.ts'
import type { TreeMap } from './tree.ts'
import { child, mapOf, valueAt } from './tree.ts'

/** Checks members that depend on each other: of providers, and of the server's own sockets. */
export function checkServers(tree: unknown): readonly Problem[] {
  return [...checkListen(tree), ...checkServerTls(tree), ...checkProviders(tree)]
}

function checkListen(tree: unknown): readonly Problem[] {
  const admin = valueAt(tree, ['server', 'admin'])
  const listen = valueAt(tree, ['server', 'listen']) ?? '127.0.0.1:8080'
  if (typeof admin !== 'string' || admin !== listen || admin.endsWith(':0')) return []
  return [at(['server', 'admin'], 'must be another address than `server.listen`')]
}

function checkServerTls(tree: unknown): readonly Problem[] {
  const path = ['server', 'tls']
  const tls = mapOf(valueAt(tree, path))
  const asksClients = tls['clientAuth'] === 'request' || tls['clientAuth'] === 'require'
  if (!asksClients || tls['clientCaFile'] !== undefined) return []
  return [
    at([...path, 'clientAuth'], 'needs `clientCaFile`: who signed the certificates of clients'),
  ]
}

function checkProviders(tree: unknown): readonly Problem[] {
  return Object.entries(mapOf(child(tree, 'providers'))).flatMap(([name, value]) =>
    checkProvider(['providers', name], mapOf(value)),
  )
}

function checkProvider(path: Path, provider: TreeMap): readonly Problem[] {
  const problems: Problem[] = []
  const { type, baseUrl, apiKey } = provider
  if (String(path.at(-1)).includes('/')) {
    const message = `the name of \`${formatPath(path)}\` may not hold a \`/\`: \`provider/model\` is split there`
    problems.push({ path, at: 'key', message })
  }
  if (type === 'openai-compatible' && baseUrl === undefined) {
    problems.push(
      at(path, 'needs a `baseUrl`: an openai-compatible upstream may be anywhere', 'key'),
    )
  }
  if (
    (type === 'openai' || type === 'anthropic') &&
    baseUrl === undefined &&
    apiKey === undefined
  ) {
    problems.push(at(path, 'needs an `apiKey`', 'key'))
  }
  return [...problems, ...checkUpstreamTls([...path, 'tls'], mapOf(provider['tls']))]
}

function checkUpstreamTls(path: Path, { certFile, keyFile }: TreeMap): readonly Problem[] {
  if (certFile !== undefined && keyFile === undefined) {
    return [at([...path, 'certFile'], 'needs `keyFile` too')]
  }
  if (keyFile !== undefined && certFile === undefined) {
    return [at([...path, 'keyFile'], 'needs `certFile` too')]
  }
  return []
}

function at(path: Path, message: string, place: 'key' | 'value' = 'value'): Problem {
  return { path, at: place, message: `\`${formatPath(path)}\` ${message}` }
}
