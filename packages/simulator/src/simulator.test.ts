import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startSimulator } from './index.ts'
import { chat, messages, payloads, readAsFarAsItComes } from './test-support/ask.ts'

test('the same requests get the same bytes from simulators of the same seed', async () => {
  await using one = await startSimulator({ seed: 7 })
  await using other = await startSimulator({ seed: 7 })
  const [first, second] = await Promise.all([
    chat(one, 'lorem', { stream: true }),
    chat(other, 'lorem', { stream: true }),
  ])
  expect(await first.text()).toBe(await second.text())
})

test('a request that brings its seed gets the same bytes again and again', async () => {
  await using simulator = await startSimulator()
  const first = await (await messages(simulator, 'lorem;sim:seed=3', { stream: true })).text()
  await chat(simulator, 'lorem')
  const second = await (await messages(simulator, 'lorem;sim:seed=3', { stream: true })).text()
  const other = await (await messages(simulator, 'lorem;sim:seed=4', { stream: true })).text()
  expect(second).toBe(first)
  expect(other).not.toBe(first)
})

test('an unknown model echoes, under its own name and without its options', async () => {
  await using simulator = await startSimulator()
  const response = await chat(simulator, 'gpt-5-mini;sim:latency=1')
  expect(await response.json()).toMatchObject({
    model: 'gpt-5-mini',
    choices: [{ message: { content: 'Grüß dich 👋' } }],
  })
})

test('echo can say the request as it arrived, numbers as they were spelt', async () => {
  await using simulator = await startSimulator()
  const response = await fetch(`${simulator.url}/v1/chat/completions?api-version=1`, {
    method: 'POST',
    headers: { 'x-sim-echo': 'body', 'x-other': 'seen' },
    body: '{"model":"m","messages":[],"seed":12345678901234567890}',
  })
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] }

  const content = choices[0]?.message.content ?? ''
  expect(JSON.parse(content)).toMatchObject({
    path: '/v1/chat/completions?api-version=1',
    headers: { 'x-other': 'seen' },
    body: { model: 'm' },
  })
  expect(content).toContain('12345678901234567890')
})

test('it records what it was asked, and that it answered', async () => {
  await using simulator = await startSimulator({ record: true })
  await (await chat(simulator, 'echo', { headers: { 'X-Trace': 'a' } })).text()

  const [recorded] = simulator.requests
  expect(recorded).toMatchObject({ method: 'POST', path: '/v1/chat/completions' })
  expect(recorded).toMatchObject({ aborted: false, finished: true, headers: { 'x-trace': 'a' } })
  expect(JSON.parse(String(recorded?.body))).toMatchObject({ model: 'echo' })
})

test('it records nothing unless told to', async () => {
  await using simulator = await startSimulator()
  await chat(simulator, 'echo')
  expect(simulator.requests).toEqual([])
})

test('it stops and says so when the client hangs up', async () => {
  await using simulator = await startSimulator({ record: true })
  const response = await chat(simulator, 'lorem;sim:tps=50,length=5000', { stream: true })
  await response.body?.cancel()

  await expect.poll(() => simulator.requests[0]).toMatchObject({ aborted: true, finished: false })
})

test('hang accepts the request and never answers', async () => {
  await using simulator = await startSimulator({ record: true })
  const hangup = new AbortController()
  const body = JSON.stringify({ model: 'hang', messages: [] })
  const { signal } = hangup
  const url = `${simulator.url}/v1/chat/completions`
  const answer = fetch(url, { method: 'POST', body, signal }).catch(() => 'gave up')

  const winner = await Promise.race([answer, setTimeout(100, 'still waiting')])
  expect(winner).toBe('still waiting')
  hangup.abort()
  expect(await answer).toBe('gave up')
  await expect.poll(() => simulator.requests[0]?.aborted).toBe(true)
})

test('close ends the calls that are under way', async () => {
  const simulator = await startSimulator()
  const response = await chat(simulator, 'slow;sim:latency=0', { stream: true })
  await simulator.close()
  expect(await readAsFarAsItComes(response)).toMatchObject({ isWhole: false })
  await simulator.close()
})

test('errors come in the envelope of the provider', async () => {
  await using simulator = await startSimulator()
  const limited = await chat(simulator, 'error-429')
  const overloaded = await messages(simulator, 'error-529')

  expect(limited.status).toBe(429)
  expect(limited.headers.get('retry-after')).toBe('1')
  expect(await limited.json()).toMatchObject({ error: { code: 'rate_limit_exceeded' } })
  expect(overloaded.status).toBe(529)
  expect(await overloaded.json()).toMatchObject({
    type: 'error',
    error: { type: 'overloaded_error' },
  })
  expect((await messages(simulator, 'error-500')).status).toBe(500)
})

test('unknown paths, other methods and broken JSON are refused', async () => {
  await using simulator = await startSimulator()
  const anthropic = { 'anthropic-version': '2023-06-01' }
  const unknown = await fetch(`${simulator.url}/v1/nothing`)
  const unknownToAnthropic = await fetch(`${simulator.url}/v1/nothing`, { headers: anthropic })
  const get = await fetch(`${simulator.url}/v1/messages`)
  const broken = await fetch(`${simulator.url}/v1/messages`, { method: 'POST', body: '{' })

  expect([unknown.status, unknownToAnthropic.status, get.status, broken.status]).toEqual([
    404, 404, 405, 400,
  ])
  expect(await unknown.json()).toMatchObject({
    error: { message: 'Invalid URL (GET /v1/nothing)', type: 'invalid_request_error' },
  })
  expect(await unknownToAnthropic.json()).toMatchObject({ error: { type: 'not_found_error' } })
  expect(await broken.json()).toMatchObject({ type: 'error' })
})

test('a body beyond 64 MiB is refused as soon as it is announced', async () => {
  await using simulator = await startSimulator()
  const length = 64 * 1024 * 1024 + 1
  const outgoing = request(`${simulator.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-length': length },
  })
  outgoing.flushHeaders()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  expect(response.statusCode).toBe(413)
  response.destroy()
})

test('the list of models comes in the shape of whoever asks', async () => {
  await using simulator = await startSimulator()
  const url = `${simulator.url}/v1/models`
  const openai = await fetch(url)
  const anthropic = await fetch(url, { headers: { 'anthropic-version': '2023-06-01' } })
  const one = await fetch(`${url}/echo`)

  const echo = { id: 'echo', object: 'model' }
  expect(await openai.json()).toMatchObject({ object: 'list', data: { 0: echo } })
  expect(await anthropic.json()).toMatchObject({ has_more: false, first_id: 'echo' })
  expect(await one.json()).toMatchObject(echo)
})

test('slow waits, and then gives token after token', async () => {
  await using simulator = await startSimulator()
  const begun = performance.now()
  const response = await chat(simulator, 'slow;sim:latency=60,tps=100,length=6', { stream: true })
  const first = performance.now() - begun
  await payloads(response)
  const whole = performance.now() - begun

  expect(first).toBeGreaterThan(55)
  expect(whole).toBeGreaterThan(110)
})
