import { hash } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DirectoryEntry } from './directory.ts'
import { openDirectory, packDirectory } from './directory.ts'
import { digestOf } from './test-files.ts'

const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))
const text = fc.string({ unit: 'grapheme' })
const entry: fc.Arbitrary<DirectoryEntry> = fc.record({
  digest,
  expires: fc.option(fc.integer({ min: 0, max: 2 ** 45 })),
  tenant: text,
  team: fc.option(text),
  app: text,
  roles: fc.array(text, { maxLength: 3 }),
})

function principalOf({ digest, tenant, team, app, roles }: DirectoryEntry) {
  return { kind: 'app', tenant, team, app, key: `key_${digest.slice(0, 12)}`, roles }
}

test('finds every key that was packed, with all that belongs to it, and no other', () => {
  const entries = fc.uniqueArray(entry, { selector: (it) => it.digest, maxLength: 60 })
  fc.assert(
    fc.property(entries, fc.array(digest), (packed, others) => {
      const directory = openDirectory(packDirectory(packed, 7))
      expect(directory.revision).toBe(7)
      for (const one of packed) {
        const found = directory.find(one.digest)
        expect(directory.expires(found)).toBe(one.expires ?? Infinity)
        expect(directory.principal(found)).toEqual(principalOf(one))
      }
      const known = new Set(packed.map((it) => it.digest))
      for (const other of others) {
        if (!known.has(other)) expect(directory.find(other)).toBe(-1)
      }
    }),
  )
})

test('digests that differ in one digit only are different keys', () => {
  const base = hash('sha256', 'key')
  const near = Array.from(base, (digit, at) => {
    return base.slice(0, at) + (digit === '0' ? '1' : '0') + base.slice(at + 1)
  })
  const directory = openDirectory(packDirectory(near.map(entryOf), 1))
  expect(directory.find(base)).toBe(-1)
  expect(near.map((it) => directory.find(it))).toEqual(near.map((_, index) => index))
})

test('holds 100,000 keys in a bounded buffer and decodes each one rightly', () => {
  const entries = Array.from({ length: 100_000 }, (_, number) => entryOf(digestOf(number), number))
  const image = packDirectory(entries, 1)
  const directory = openDirectory(image)

  expect(image.keys).toBe(100_000)
  expect(image.buffer.byteLength).toBeLessThan(12_000_000)
  for (const [index, one] of entries.entries()) {
    if (directory.find(one.digest) !== index || directory.principal(index).app !== one.app) {
      expect.unreachable(`entry ${index} is not what was packed`)
    }
  }
  expect(directory.find(digestOf(100_000))).toBe(-1)
})

test('a hot key gives the same object each time', () => {
  const entries = Array.from({ length: 10_000 }, (_, number) => entryOf(digestOf(number), number))
  const directory = openDirectory(packDirectory(entries, 1))
  const first = directory.principal(0)
  for (let number = 1; number < 10_000; number++) {
    directory.principal(number)
    if (number % 500 === 0) expect(directory.principal(0)).toBe(first)
  }
})

test('the same digest twice, and what is no digest, is an error', () => {
  expect(() => packDirectory([entryOf(digestOf(1)), entryOf(digestOf(1))], 1)).toThrow(/twice/)
  expect(() => packDirectory([entryOf('ABC')], 1)).toThrow(/not a SHA-256/)
  expect(openDirectory(packDirectory([], 1)).find(digestOf(1))).toBe(-1)
  expect(openDirectory(packDirectory([], 1)).find('')).toBe(-1)
})

function entryOf(digest: string, number = 0): DirectoryEntry {
  return { digest, expires: null, tenant: 't', team: null, app: `app-${number}`, roles: ['r'] }
}
