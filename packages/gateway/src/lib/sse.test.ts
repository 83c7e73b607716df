import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventFramer, looksLikeEvents, parseEvents } from './sse.ts'

const lineEnds = ['\n', '\r\n', '\r'] as const

const anyEvent = fc.record({
  type: fc.constantFrom('message', 'ping', 'content_block_delta'),
  data: fc.array(
    fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ' ')),
    { minLength: 1, maxLength: 3 },
  ),
})

function written(
  events: readonly { type: string; data: readonly string[] }[],
  lineEnd: string,
): Buffer {
  const lines = events.flatMap(({ type, data }) => [
    ...(type === 'message' ? [] : [`event: ${type}`]),
    ': a comment',
    ...data.map((line) => `data: ${line}`),
    '',
  ])
  return Buffer.from(lines.map((line) => line + lineEnd).join(''))
}

function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length]
  places.sort((a, b) => a - b)
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

test('any cut of any stream, with any line ending, gives the same events and all bytes', () => {
  fc.assert(
    fc.property(
      fc.array(anyEvent, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(...lineEnds),
      fc.array(fc.nat(), { maxLength: 30 }),
      (events, lineEnd, cuts) => {
        const bytes = written(events, lineEnd)
        const framer = new EventFramer(1_000_000)
        const runs = pieces(bytes, cuts).map((piece) => framer.feed(piece))
        const whole = runs.filter((run) => run.length > 0)

        expect(Buffer.concat([...runs, framer.rest()])).toEqual(bytes)
        expect(framer.atBoundary).toBe(true)
        const read = whole.flatMap((run) => parseEvents(run.toString()))
        expect(read).toEqual(events.map(({ type, data }) => ({ type, data: data.join('\n') })))
      },
    ),
  )
})

test('a byte at a time gives the same events', () => {
  for (const lineEnd of lineEnds) {
    const bytes = written(
      [
        { type: 'ping', data: ['é', '😀'] },
        { type: 'message', data: ['x'] },
      ],
      lineEnd,
    )
    const framer = new EventFramer(1_000)
    const runs = [...bytes].map((byte) => framer.feed(Buffer.from([byte])))
    const read = runs.flatMap((run) => parseEvents(run.toString()))
    expect(read.map(({ data }) => data)).toEqual(['é\n😀', 'x'])
  }
})

test('tells whether it stands between two events or inside one', () => {
  const framer = new EventFramer(1_000)
  expect(framer.atBoundary).toBe(true)
  framer.feed(Buffer.from('data: a\n\nda'))
  expect(framer.atBoundary).toBe(false)
  framer.feed(Buffer.from('ta: b\n\n'))
  expect(framer.atBoundary).toBe(true)
})

test('gives up on an event that is longer than its limit, and says so', () => {
  const framer = new EventFramer(10)
  framer.feed(Buffer.from('data: aaaaaaaaaaaaaaaaaaaa'))
  expect(framer.overflown).toBe(true)
  expect(framer.feed(Buffer.from('\n\n')).length).toBe(0)
})

test('reads data without a space, several lines of it, and passes over comments and ids', () => {
  expect(parseEvents('id: 1\ndata:a\ndata: b\n: c\n\nevent: x\ndata\n\n')).toEqual([
    { type: 'message', data: 'a\nb' },
    { type: 'x', data: '' },
  ])
})

test('the first bytes tell a stream from a body', () => {
  const looks = (text: string) => looksLikeEvents(Buffer.from(text))
  expect(looks('data: {}')).toBe(true)
  expect(looks('\n\n: OPENROUTER PROCESSING')).toBe(true)
  expect(looks('\uFEFFevent: x')).toBe(true)
  expect(looks('  {"id":1}')).toBe(false)
  expect(looks('[{"error":1}]')).toBe(false)
  expect(looks('<html>')).toBe(false)
  expect(looks('database')).toBe(false)
  expect(looks('da')).toBeUndefined()
  expect(looks(' \r\n ')).toBeUndefined()
  expect(looks('')).toBeUndefined()
})
