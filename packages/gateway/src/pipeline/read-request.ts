import { isAscii, isUtf8 } from 'node:buffer'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { GatewayError } from '../errors.ts'
import { countMembers, findDuplicate, surveyJson, type Span } from '../lib/json-spans.ts'
import { asObject } from '../lib/json-values.ts'
import type { JsonObject } from '../protocol.ts'
import { collectBody, tooLarge } from './collect-body.ts'
import type { HttpExchange } from './http-exchange.ts'
import type { RequestHeaders } from './request-headers.ts'

/** A body that has been judged: what it says, and its bytes as they will go upstream. */
export interface ReadRequest {
  readonly bytes: Buffer
  readonly body: JsonObject
  readonly model: string
  /** Where the value of `model` stands in `bytes`. */
  readonly modelSpan: Span
  readonly stream: boolean
}

const deepest = 256
const inflate = promisify(gunzip)

/** Reads the body within its limits and refuses what another parser might read differently. */
export async function readRequest(exchange: HttpExchange): Promise<ReadRequest> {
  checkMediaType(exchange.headers)
  const limit = exchange.plane.rules.limits.requestBody
  const received = await collectBody(exchange, limit)
  const bytes =
    exchange.headers.contentEncoding === null || isIdentity(exchange.headers.contentEncoding)
      ? received
      : await decompress(exchange, received, limit)
  exchange.record.requestBytes = received.length
  return judge(bytes, exchange)
}

function judge(bytes: Buffer, exchange: HttpExchange): ReadRequest {
  // A byte is a character here, so that an index is a byte offset.
  const text = bytes.toString('latin1')
  const body = parse(bytes, text)
  const survey = surveyJson(text, 'model')
  if (survey.depth > deepest) {
    throw invalid(`The body is nested ${survey.depth} deep; ${deepest} is the most.`)
  }
  if (survey.members !== countMembers(body)) throw duplicateMember(bytes)

  const { model, stream } = body
  if (typeof model !== 'string' || model === '' || survey.value === null) {
    throw invalid(model === undefined ? '"model" is missing.' : '"model" must be a string.')
  }
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean') {
    throw invalid('"stream" must be true or false.')
  }
  exchange.wireFormat.checkBody(body)
  return { bytes, body, model, modelSpan: survey.value, stream: stream === true }
}

function parse(bytes: Buffer, latin1: string): JsonObject {
  if (bytes.length === 0) throw invalid('The body is empty; send a JSON object.')
  if (!isUtf8(bytes)) throw invalid('The body is not valid UTF-8.')
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw invalid('The body begins with a byte order mark; send the JSON without it.')
  }
  let body: unknown
  try {
    body = JSON.parse(isAscii(bytes) ? latin1 : bytes.toString())
  } catch (error) {
    throw invalid(`The body is not valid JSON${position(error)}.`)
  }
  const object = asObject(body)
  if (object === null) throw invalid('The body must be a JSON object.')
  return object
}

/** Where parsing failed. The parser's own message quotes the text, so only its number is used. */
function position(error: unknown): string {
  const found = error instanceof Error ? /position (\d+)/.exec(error.message) : null
  return found === null ? '' : ` (at character ${found[1] ?? ''})`
}

function duplicateMember(bytes: Buffer): GatewayError {
  const duplicate = findDuplicate(bytes.toString())
  const where = duplicate === null ? '' : ` (at character ${duplicate.index})`
  return invalid(
    `A member stands twice in one object${where}: parsers disagree on which of them counts.`,
  )
}

function checkMediaType({ contentType, contentEncoding }: RequestHeaders): void {
  if (contentType !== null) checkContentType(contentType)
  if (contentEncoding === null || isIdentity(contentEncoding) || isGzip(contentEncoding)) return
  throw new GatewayError(
    'unsupported_media_type',
    'The content-encoding is not supported; send gzip, or nothing encoded.',
  )
}

function checkContentType(contentType: string): void {
  if (contentType === 'application/json') return
  const [type = '', ...parameters] = contentType.toLowerCase().split(';')
  if (!/^application\/(?:[\w.-]+\+)?json$/.test(type.trim())) {
    throw new GatewayError('unsupported_media_type', 'The content-type must be application/json.')
  }
  const charset = parameters.map((parameter) => /^\s*charset="?([^"]*)"?\s*$/.exec(parameter)?.[1])
  if (charset.some((name) => name !== undefined && name !== 'utf-8' && name !== 'utf8')) {
    throw new GatewayError('unsupported_media_type', 'The charset must be utf-8.')
  }
}

function isIdentity(encoding: string): boolean {
  return encoding.trim().toLowerCase() === 'identity'
}

function isGzip(encoding: string): boolean {
  return /^\s*(?:x-)?gzip\s*$/i.test(encoding)
}

async function decompress(exchange: HttpExchange, bytes: Buffer, limit: number): Promise<Buffer> {
  try {
    const inflated = await inflate(bytes, { maxOutputLength: limit })
    if (!exchange.tryHold(inflated.length)) throw exchange.noRoom()
    return inflated
  } catch (error) {
    if (error instanceof GatewayError) throw error
    if (error instanceof RangeError) throw tooLarge(limit)
    throw invalid('The body is not valid gzip.')
  }
}

function invalid(message: string): GatewayError {
  return new GatewayError('invalid_request', message)
}
