import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { startReplay, type RecordedExchange } from './index.ts'

const body = 'data: {"text":"Grüße 👋"}\r\n\r\ndata: [DONE]\r\n\r\n'.repeat(60)
const headers = {
  'content-type': 'text/event-stream',
  'x-request-id': 'req_1',
  'content-length': '3',
  'transfer-encoding': 'chunked',
  connection: 'close',
}
const exchange: RecordedExchange = {
  response: { status: 200, headers, body, body_encoding: 'utf8' },
}

test('any request is answered with the recorded status, headers and bytes', async () => {
  await using upstream = await startReplay(exchange, { record: true })
  const response = await fetch(`${upstream.url}/any/path`, { method: 'POST', body: 'x' })

  expect(response.status).toBe(200)
  expect(response.headers.get('x-request-id')).toBe('req_1')
  expect(response.headers.get('content-length')).toBeNull()
  expect(await response.text()).toBe(body)
  expect(upstream.requests).toMatchObject([{ path: '/any/path', finished: true }])
})

test('the body can come in pieces cut at random, the same for the same seed', async () => {
  const first = await chunksOf(5)
  const again = await chunksOf(5)
  const other = await chunksOf(6)

  for (const chunks of [first, again, other]) {
    expect(Buffer.concat(chunks).toString()).toBe(body)
    expect(chunks.length).toBeGreaterThan(10)
  }
  expect(again.map((chunk) => chunk.length)).toEqual(first.map((chunk) => chunk.length))
  expect(other.map((chunk) => chunk.length)).not.toEqual(first.map((chunk) => chunk.length))
})

test('binary bodies come as they were', async () => {
  const bytes = Buffer.from([0, 255, 1, 254])
  const response = { status: 200, headers: {}, body: bytes.toString('base64') }
  await using upstream = await startReplay({ response: { ...response, body_encoding: 'base64' } })
  expect(Buffer.from(await (await fetch(upstream.url)).arrayBuffer())).toEqual(bytes)
})

test('the bytes that were on the wire are sent where they are wanted and there', async () => {
  const wire = { content_encoding: 'gzip', body_base64: gzipSync(body).toString('base64') }
  const compressed = { response: { ...exchange.response, wire } }
  await using encoded = await startReplay(compressed, { encoded: true })
  await using plain = await startReplay(compressed)
  await using without = await startReplay(exchange, { encoded: true })

  const answers = await Promise.all([fetch(encoded.url), fetch(plain.url), fetch(without.url)])
  const encodings = answers.map((response) => response.headers.get('content-encoding'))
  expect(encodings).toEqual(['gzip', null, null])
  for (const response of answers) expect(await response.text()).toBe(body)
})

test('a function picks the recording, and no recording is a 404', async () => {
  await using upstream = await startReplay(({ path }) => (path === '/a' ? exchange : undefined))
  expect((await fetch(`${upstream.url}/a`)).status).toBe(200)
  expect((await fetch(`${upstream.url}/b`)).status).toBe(404)
})

async function chunksOf(seed: number): Promise<readonly Uint8Array[]> {
  await using upstream = await startReplay(exchange, { cut: { seed } })
  const response = await fetch(upstream.url)
  const chunks: Uint8Array[] = []
  for await (const chunk of response.body ?? []) chunks.push(chunk)
  return chunks
}
