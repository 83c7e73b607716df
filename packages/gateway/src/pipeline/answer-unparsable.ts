import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { errors, GatewayError, type ErrorCode } from '../errors.ts'
import { latestOn } from './connection.ts'
import type { Dataplane } from './dataplane.ts'

/**
 * Bytes that never became a request: HTTP 400 in OpenAI's form, a count, and no record, because
 * nothing is known that a record could tell.
 */
export function answerUnparsable({ bounds }: Dataplane, error: Error, stream: Duplex): void {
  const socket = stream instanceof Socket ? stream : null
  // A connection that never sent a byte has nothing to be told.
  if (socket === null || socket.bytesRead === 0 || !socket.writable) {
    stream.destroy()
    return
  }
  // The parser complains again about whatever follows.
  if (known.has(socket)) return
  known.add(socket)
  const open = latestOn(socket)
  if (open !== null && !open.request.complete) {
    if (hasLeft(error)) {
      socket.destroy()
      return
    }
    // The headers were a request: it is its body that cannot be read, and it has a record.
    open.endConnection()
    open.cancel(new GatewayError('invalid_request', 'The body is not framed as HTTP asks.'))
    return
  }
  bounds.countUnparsable()
  // In the middle of an answer these bytes would be read as part of it.
  if (open !== null) open.endConnection()
  else refuse(socket, 'code' in error && error.code === 'HPE_HEADER_OVERFLOW')
}

const known = new WeakSet<Socket>()

/** The client ended its side in the middle of a body. */
function hasLeft(error: Error): boolean {
  return 'code' in error && (error.code === 'HPE_INVALID_EOF_STATE' || error.code === 'ECONNRESET')
}

function refuse(socket: Socket, isTooLong: boolean): void {
  const answer = isTooLong
    ? rawAnswer('headers_too_large', 'The request headers are larger than this gateway takes.')
    : rawAnswer('invalid_request', 'This is no valid HTTP request.')
  socket.end(answer, () => socket.destroy())
}

/** A connection beyond those that the process takes. */
export function refuseConnection(socket: Socket): void {
  socket.on('error', () => undefined)
  socket.end(
    rawAnswer('overloaded', 'The gateway has too many connections; try again shortly.'),
    () => socket.destroy(),
  )
}

/** A whole answer in OpenAI's form, for where there is no request that node could answer. */
function rawAnswer(code: ErrorCode, message: string): string {
  const { status } = errors[code]
  const type = status >= 500 ? 'server_error' : 'invalid_request_error'
  const body = JSON.stringify({ error: { message, type, param: null, code, decision_id: null } })
  const retry = status === 503 ? 'retry-after: 1\r\n' : ''
  return (
    `HTTP/1.1 ${status} ${reasons[status] ?? ''}\r\n${retry}content-type: application/json\r\n` +
    `connection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
}
