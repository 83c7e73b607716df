import { expect } from 'vitest'
import type { FaultWorld } from './fault-world.ts'

export interface Expected {
  readonly status: number
  readonly code: string
}

export type Dialect = 'openai' | 'anthropic'

export const pathOf = { openai: '/v1/chat/completions', anthropic: '/v1/messages' } as const

interface Told {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly text: string
}

/** Checks a refusal in its dialect, and gives its decision id. */
export function assertRefusal(dialect: Dialect, told: Told, { status, code }: Expected): string {
  const id = told.headers.get('x-sluice-decision') ?? ''
  expect({ status: told.status, code, text: told.text }).toEqual({
    status,
    code,
    text: expect.stringContaining(`"code":"${code}"`),
  })
  const body = JSON.parse(told.text) as Record<string, unknown>
  const error = { type: expect.any(String), message: expect.any(String), code, decision_id: id }
  expect(body).toEqual(
    dialect === 'openai' ? { error: { ...error, param: null } } : { type: 'error', error },
  )
  expect(told.headers.get('content-type')).toBe('application/json')
  return id
}

/** Remembers what each decision should be in the records, and looks at all of them at once. */
export class ExpectedDecisions {
  readonly #expected = new Map<string, object>()

  add(id: string, expected: object): void {
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    this.#expected.set(id, expected)
  }

  /** Every decision stands in the log once, and says what was expected. */
  async assertLogged(world: FaultWorld): Promise<void> {
    for (const [id, expected] of this.#expected) {
      await world.logLine((line) => line.id === id)
      const found = (await world.logLines()).filter((line) => line.id === id)
      expect(found).toEqual([expect.objectContaining(expected)])
    }
  }
}
