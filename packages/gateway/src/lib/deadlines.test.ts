import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Deadlines, type Timed } from './deadlines.ts'

function timed(deadline: number, expired: number[]): Timed {
  return { deadline, slot: -1, expire: () => expired.push(deadline) }
}

test('each thing expires once, when its time has passed, and not before', () => {
  let now = 0
  const expired: number[] = []
  const deadlines = new Deadlines(() => now)
  for (const deadline of [30, 10, Infinity]) deadlines.watch(timed(deadline, expired))

  now = 9
  deadlines.sweep()
  expect(expired).toEqual([])
  now = 10
  deadlines.sweep()
  expect(expired).toEqual([10])
  now = 1e9
  deadlines.sweep()
  deadlines.sweep()
  expect(expired).toEqual([10, 30])
})

test('a deadline that is moved while a stream goes on keeps it alive for any time', () => {
  let now = 0
  const expired: number[] = []
  const stream = timed(100, expired)
  const deadlines = new Deadlines(() => now)
  deadlines.watch(stream)
  for (let minute = 0; minute < 30; minute++) {
    now += 60_000
    stream.deadline = now + 1
    deadlines.sweep()
  }
  expect(expired).toEqual([])
})

test('whatever the order of coming and going, exactly those that stayed are watched', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat()), { maxLength: 200 }), (moves) => {
      const deadlines = new Deadlines(() => 0)
      const inside = new Set<Timed>()
      for (const [comes, which] of moves) {
        const one = [...inside][which % Math.max(1, inside.size)]
        if (comes || one === undefined) {
          const item = timed(Infinity, [])
          deadlines.watch(item)
          inside.add(item)
        } else {
          deadlines.forget(one)
          deadlines.forget(one)
          inside.delete(one)
        }
      }
      expect(new Set(deadlines.watched)).toEqual(inside)
    }),
  )
})

test('what expires may leave while the sweep goes on', () => {
  const deadlines = new Deadlines(() => 1)
  const seen: number[] = []
  const items = [0, 1, 2].map((name) => ({
    deadline: 0,
    slot: -1,
    expire() {
      seen.push(name)
      for (const item of items) deadlines.forget(item)
    },
  }))
  for (const item of items) deadlines.watch(item)
  deadlines.sweep()
  expect(seen).toEqual([0, 1, 2])
})
