import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSimulator, type Simulator } from './index.ts'
import { chat, messages, readAsFarAsItComes } from './test-support/ask.ts'

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator({ record: true })
})
afterAll(async () => {
  await simulator.close()
})

const streamed = { stream: true }

test('a cut-off stream loses its connection between two events', async () => {
  const response = await chat(simulator, 'cut-off;sim:cutoff=3', streamed)
  const { text, isWhole } = await readAsFarAsItComes(response)

  expect(isWhole).toBe(false)
  expect(text.match(/data: /g)).toHaveLength(3)
  expect(text.endsWith('\n\n')).toBe(true)
  expect(simulator.requests.at(-1)).toMatchObject({ finished: true, aborted: false })
})

test('a stream can be cut off inside an event, and by a closed connection', async () => {
  const response = await messages(simulator, 'cut-off;sim:cutoff=2,half=1,end=fin', streamed)
  const { text, isWhole } = await readAsFarAsItComes(response)

  expect(isWhole).toBe(false)
  expect(text.match(/event: /g)).toHaveLength(3)
  expect(text.endsWith('\n\n')).toBe(false)
})

test('a stream can end early as if it were whole', async () => {
  const response = await messages(simulator, 'cut-off;sim:end=close', streamed)
  const { text, isWhole } = await readAsFarAsItComes(response)

  expect(isWhole).toBe(true)
  expect(text).not.toContain('message_stop')
})

test('a JSON body can be cut short, in all three ways', async () => {
  for (const end of ['reset', 'fin', 'close']) {
    const response = await chat(simulator, `cut-off;sim:end=${end}`)
    const { text, isWhole } = await readAsFarAsItComes(response)
    expect({ end, isWhole }).toEqual({ end, isWhole: end === 'close' })
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError)
  }
})

test('malformed breaks the JSON, or one event of the stream', async () => {
  const whole = await chat(simulator, 'malformed')
  expect(whole.status).toBe(200)
  await expect(whole.json()).rejects.toThrow(SyntaxError)

  const lines = (await (await chat(simulator, 'malformed', streamed)).text()).split('\n\n')
  const broken = lines.filter((line) => line.startsWith('data: {') && !isJson(line.slice(6)))
  expect(broken).toHaveLength(1)
  expect(lines.at(-2)).toBe('data: [DONE]')
})

test('an error can come in the middle of a stream, and ends it', async () => {
  const openai = await (await chat(simulator, 'lorem;sim:mid-error=2', streamed)).text()
  const anthropic = await (await messages(simulator, 'lorem;sim:mid-error=4', streamed)).text()

  expect(openai.match(/data: /g)).toHaveLength(3)
  expect(openai).toMatch(/data: \{"error":\{"message":"The server had an error[^\n]*\n\n$/)
  expect(anthropic).toMatch(/event: error\ndata: \{"type":"error"[^\n]*overloaded_error[^\n]*\n\n$/)
})

test('the last event can be left out', async () => {
  const openai = await (await chat(simulator, 'echo;sim:no-done=1', streamed)).text()
  const anthropic = await (await messages(simulator, 'echo;sim:no-done=1', streamed)).text()
  expect(openai).not.toContain('[DONE]')
  expect(anthropic).not.toContain('message_stop')
})

test('lines can end in CR LF or CR', async () => {
  const crlf = await (await messages(simulator, 'echo;sim:eol=crlf,seed=1', streamed)).text()
  const cr = await (await messages(simulator, 'echo;sim:eol=cr,seed=1', streamed)).text()
  const lf = await (await messages(simulator, 'echo;sim:seed=1', streamed)).text()
  expect(crlf.replaceAll('\r\n', '\n')).toBe(lf)
  expect(cr).not.toContain('\n')
  expect(cr.replaceAll('\r', '\n')).toBe(lf)
})

test('however the bytes are cut, they are the same bytes', async () => {
  const whole = await chunksOf('lorem;sim:seed=1,length=20,cut=whole')
  const byEvent = await chunksOf('lorem;sim:seed=1,length=20')
  const byRandom = await chunksOf('lorem;sim:seed=1,length=20,cut=random')
  const inSevens = await chunksOf('lorem;sim:seed=1,length=20,cut=7')

  const expected = Buffer.concat(whole).toString()
  for (const chunks of [byEvent, byRandom, inSevens]) {
    expect(Buffer.concat(chunks).toString()).toBe(expected)
  }
  expect(whole).toHaveLength(1)
  expect(byEvent).toHaveLength(23)
  expect(byRandom.length).toBeGreaterThan(30)
  expect(new Set(inSevens.slice(0, -1).map((chunk) => chunk.length))).toEqual(new Set([7]))
})

test('gzip comes though nobody asked, and each event can be read as it comes', async () => {
  const json = await chat(simulator, 'echo;sim:gzip=1')
  expect(json.headers.get('content-encoding')).toBe('gzip')
  expect(await json.json()).toMatchObject({ object: 'chat.completion' })

  const stream = await chat(simulator, 'echo;sim:gzip=1', streamed)
  expect((await stream.text()).endsWith('data: [DONE]\n\n')).toBe(true)

  const chunks = await chunksOf('echo;sim:gzip=1')
  expect(chunks.length).toBeGreaterThanOrEqual(6)
})

test('a JSON body can begin with blanks', async () => {
  const text = await (await chat(simulator, 'echo;sim:padding=25')).text()
  expect(text.slice(0, 25).trim()).toBe('')
  expect(text[25]).toBe('{')
})

test('a byte that is not UTF-8 gets into the text', async () => {
  const body = Buffer.concat(await chunksOf('lorem;sim:invalid-utf8=1'))
  expect(body.filter((byte) => byte === 0xff)).toHaveLength(1)
  const whole = await (await messages(simulator, 'echo;sim:invalid-utf8=1')).bytes()
  expect(whole.filter((byte) => byte === 0xff)).toHaveLength(1)
})

test('status, content type and redirect can be had as wished', async () => {
  const teapot = await messages(simulator, 'lorem;sim:status=418')
  expect(teapot.status).toBe(418)
  expect(await teapot.json()).toMatchObject({ error: { type: 'invalid_request_error' } })

  const accepted = await chat(simulator, 'echo;sim:status=202,content-type=text/plain;charset=x')
  expect(accepted.status).toBe(202)
  expect(accepted.headers.get('content-type')).toBe('text/plain;charset=x')
  const none = await chat(simulator, 'echo;sim:content-type=none', streamed)
  expect(none.headers.get('content-type')).toBeNull()

  const elsewhere = await chat(simulator, 'echo;sim:redirect=http://127.0.0.1:1/a')
  expect(elsewhere.status).toBe(307)
  expect(elsewhere.headers.get('location')).toBe('http://127.0.0.1:1/a')
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The pieces of a streamed body as they came, still encoded. */
async function chunksOf(model: string): Promise<readonly Buffer[]> {
  const outgoing = request(`${simulator.url}/v1/chat/completions`, { method: 'POST' })
  const messages = [{ role: 'user', content: 'one two' }]
  outgoing.end(JSON.stringify({ model, messages, stream: true }))
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(response, 'end')
  return chunks
}
