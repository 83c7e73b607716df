import { join } from 'node:path'
// The command shows one record at a time; for a thousand this is its own reader without the start.
import { findDecision } from '../../packages/gateway/src/decisions/find-decision.ts'
import type { Decision } from './decision.ts'

/** Reads the record of a decision from the store in a world's folder; null: it is not there. */
export function readDecision(folder: string, id: string): Decision | null {
  return findDecision(join(folder, 'data', 'sluice.decisions.db'), id)?.record ?? null
}
