import { expect, test } from 'vitest'
import { parseSize } from './size.ts'

test.each([
  ['512B', 512],
  ['64KiB', 65_536],
  ['10MiB', 10_485_760],
  ['1GiB', 1_073_741_824],
  ['20MB', null],
  ['1 KiB', null],
  ['1.5MiB', null],
  ['', null],
])('%j is %j bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})
