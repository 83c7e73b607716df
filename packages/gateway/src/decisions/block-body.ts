import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { CODEC_VERSION } from './codec.ts'
import type { Block } from '../store/decision-blocks.ts'

/** Where the id stands in every line: behind `D⇥` or `C⇥`. */
const ID_FROM = 2
const ID_TO = 38
export const BLOCK_BYTES = 256 * 1024

const options = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

export function lineId(line: string): string {
  return line.slice(ID_FROM, ID_TO)
}

export function packBlock(
  raw: Uint8Array,
  about: Omit<Block, 'codec' | 'rawBytes' | 'body'>,
): Block {
  return {
    ...about,
    codec: CODEC_VERSION,
    rawBytes: raw.length,
    body: zstdCompressSync(raw, options),
  }
}

export function unpackLines(body: Uint8Array): string[] {
  return zstdDecompressSync(body).toString().split('\n').slice(0, -1)
}

/** One line of a block, without looking at the others. `kind` and id cannot occur elsewhere in it. */
export function findLine(raw: Buffer, kind: 'D' | 'C', id: string): string | null {
  const at = raw.indexOf(`${kind}\t${id}\t`)
  return at === -1 ? null : raw.toString('utf8', at, raw.indexOf('\n', at))
}

/** The lines of several blocks as one, sorted by id, so that neighbouring blocks do not overlap. */
export function mergeBlocks(blocks: readonly Block[]): Block {
  const lines = blocks
    .flatMap(({ body }) => unpackLines(body))
    .map((line) => ({ id: lineId(line), line }))
    .sort((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)))
  return packBlock(Buffer.from(lines.map(({ line }) => `${line}\n`).join('')), {
    firstId: lines[0]?.id ?? '',
    lastId: lines.at(-1)?.id ?? '',
    lines: lines.length,
  })
}
