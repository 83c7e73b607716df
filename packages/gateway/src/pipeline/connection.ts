import { BlockList, isIP, isIPv6, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { HttpExchange } from './http-exchange.ts'

/** What is the same for all requests of one connection. */
export interface Connection {
  readonly peer: string
  readonly tls: { readonly version: string; readonly cipher: string } | null
  /** After this time the next answer closes the connection, so that load spreads over workers. */
  readonly restAt: number
  /** The exchange that began last, while it is open. */
  latest: HttpExchange | null
}

const connections = new WeakMap<Socket, Connection>()
const restAfterMs = 60_000

export function connectionOf(socket: Socket, elapsed: number): Connection {
  let connection = connections.get(socket)
  if (connection === undefined) {
    connection = {
      peer: withoutMapping(socket.remoteAddress ?? ''),
      tls: socket instanceof TLSSocket ? tlsOf(socket) : null,
      // Spread out, so that clients that came together do not come back together.
      restAt: elapsed + restAfterMs * (0.9 + Math.random() * 0.2),
      latest: null,
    }
    connections.set(socket, connection)
  }
  return connection
}

/** The exchange that began last on a connection, if it is still open. */
export function latestOn(socket: Socket): HttpExchange | null {
  return connections.get(socket)?.latest ?? null
}

function tlsOf(socket: TLSSocket): Connection['tls'] {
  return { version: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().name }
}

/** IPv4 in IPv6's clothes, as dual-stack sockets tell it. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** Whose word about `X-Forwarded-For` is taken. */
export function trustedProxies(networks: readonly string[]): BlockList | null {
  if (networks.length === 0) return null
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

/** The client's address: the last one in the chain that no trusted proxy stands behind. */
export function clientAddress(
  peer: string,
  forwardedFor: string | null,
  trusted: BlockList | null,
): string {
  if (trusted === null || forwardedFor === null || !isTrusted(trusted, peer)) return peer
  const chain = forwardedFor.split(',').map((address) => withoutMapping(address.trim()))
  let client = peer
  for (const address of chain.reverse()) {
    if (isIP(address) === 0) return client
    client = address
    if (!isTrusted(trusted, address)) return client
  }
  return client
}

function isTrusted(trusted: BlockList, address: string): boolean {
  return trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
