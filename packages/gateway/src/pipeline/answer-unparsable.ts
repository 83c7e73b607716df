import type { Duplex } from 'node:stream'
import { Socket } from 'node:net'
import { errors } from '../errors.ts'
import { isAnswering } from './connection.ts'
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
  bounds.countUnparsable()
  // In the middle of an answer these bytes would be read as part of it.
  if (isAnswering(socket)) socket.destroy()
  else socket.end(answerFor(error), () => socket.destroy())
}

function answerFor(error: Error): string {
  const tooLong = 'code' in error && error.code === 'HPE_HEADER_OVERFLOW'
  const code = tooLong ? 'headers_too_large' : 'invalid_request'
  const message = tooLong
    ? 'The request headers are larger than this gateway takes.'
    : 'This is no valid HTTP request.'
  const body = JSON.stringify({
    error: { message, type: 'invalid_request_error', param: null, code, decision_id: null },
  })
  const { status } = errors[code]
  return (
    `HTTP/1.1 ${status} ${tooLong ? 'Request Header Fields Too Large' : 'Bad Request'}\r\n` +
    'content-type: application/json\r\nconnection: close\r\n' +
    `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}
