import { existsSync } from 'node:fs'
import { zstdDecompressSync } from 'node:zlib'
import { findDecisionBlocks, type StoredBlock, type StoredRun } from '../store/decision-blocks.ts'
import { isRunLockHeld } from '../store/run-lock.ts'
import { findLine } from './block-body.ts'
import { decode, type RecordLines } from './codec.ts'
import type { RenderedRecord } from './rendered-record.ts'

/** A record, and what is known about the half of it that may be missing. */
export interface FoundDecision {
  readonly record: RenderedRecord
  /** The first half (who asked for what) was dropped. */
  readonly isBeginningLost: boolean
  /** The end was not recorded: the gateway or its worker died, or the line was dropped. */
  readonly isEndLost: boolean
  /** Lines that the gateway's run dropped so far: why a half may be missing. */
  readonly dropped: number
}

/** Looks an exchange up, also while a gateway runs and after one was killed. */
export function findDecision(decisionsFile: string, id: string): FoundDecision | null {
  if (!existsSync(decisionsFile)) return null
  const { blocks, runs } = findDecisionBlocks(decisionsFile, id)

  const lines = findLines(blocks, id)
  if (lines === null) return null

  const run = runs.get(lines.run)
  const record = decode(lines, run?.node ?? null)
  const isOver = lines.closed === null && !isAlive(decisionsFile, run)
  return {
    record: isOver ? { ...record, outcome: 'lost' } : record,
    isBeginningLost: lines.decided === null,
    isEndLost: isOver || record.outcome === 'lost',
    dropped: run?.dropped ?? 0,
  }
}

interface FoundLines extends RecordLines {
  readonly run: string
}

function findLines(blocks: readonly StoredBlock[], id: string): FoundLines | null {
  const found = blocks
    .map(({ body, codec, run }) => {
      const raw = zstdDecompressSync(body)
      return {
        version: codec,
        run,
        decided: findLine(raw, 'D', id),
        closed: findLine(raw, 'C', id),
      }
    })
    .filter(({ decided, closed }) => decided !== null || closed !== null)
  const [first] = found
  if (first === undefined) return null
  return {
    version: first.version,
    run: first.run,
    decided: found.find(({ decided }) => decided !== null)?.decided ?? null,
    closed: found.find(({ closed }) => closed !== null)?.closed ?? null,
  }
}

function isAlive(decisionsFile: string, run: StoredRun | undefined): boolean {
  return run !== undefined && run.endedAt === null && isRunLockHeld(decisionsFile)
}
