import { expect, test } from 'vitest'
import { ConfigurationError } from './fault.ts'
import { createReloader } from './reloader.ts'

const fault = { file: 'sluice.yaml', line: 1, column: 1, path: '', message: 'half a file' }

/** A file that somebody writes while the reloader waits: one more piece with each wait. */
function startWriting(pieces: readonly string[]) {
  const told: string[] = []
  let waits = 0
  const content = () => pieces[Math.min(waits, pieces.length - 1)] ?? ''
  const reloader = createReloader<string>({
    load: () =>
      content().includes('bad')
        ? Promise.reject(new ConfigurationError([fault]))
        : Promise.resolve(content()),
    apply: (loaded, actor) => void told.push(`${actor} applied ${loaded}`),
    refused: (error, actor) => void told.push(`${actor} refused: ${error.message}`),
    fingerprint: () => Promise.resolve(content()),
    wait: () => Promise.resolve(void waits++),
  })
  return { reloader, told, waits: () => waits }
}

test('waits until a file that is being written rests', async () => {
  const { reloader, told } = startWriting(['one', 'one two', 'one two three'])
  await reloader.filesChanged()
  expect(told).toEqual(['file applied one two three'])
})

test('reads a faulty file again before it is refused', async () => {
  const { reloader, told } = startWriting(['bad', 'bad', 'good'])
  await reloader.filesChanged()
  expect(told).toEqual(['file applied good'])
})

test('refuses a file that stays faulty', async () => {
  const { reloader, told, waits } = startWriting(['bad'])
  await reloader.filesChanged()
  expect(told).toEqual(['file refused: sluice.yaml:1:1: half a file'])
  expect(waits()).toBe(2)
})

test('a file that never rests is judged in the end', async () => {
  const { reloader, told } = startWriting(Array.from({ length: 100 }, (_, index) => `bad ${index}`))
  await reloader.filesChanged()
  expect(told).toHaveLength(1)
})

test('who asks for a reload is answered at once, and changes in a row are one reload', async () => {
  const { reloader, told, waits } = startWriting(['good'])
  await reloader.reload('SIGHUP')
  expect(waits()).toBe(0)
  await Promise.all([reloader.filesChanged(), reloader.filesChanged()])
  expect(told).toEqual(['SIGHUP applied good', 'file applied good'])
})
