import type { Transform } from 'node:stream'
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib'
import { GatewayError } from '../errors.ts'

export interface Decoder {
  /** False: it has more than it should; wait for `drained`. */
  write(chunk: Buffer): boolean
  end(): void
  /** Hands out nothing more until it is resumed. */
  pause(): void
  resume(): void
  destroy(): void
  readonly isFull: boolean
}

interface DecoderEvents {
  data(chunk: Buffer): void
  end(): void
  fail(error: GatewayError): void
  drained(): void
}

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/** Undoes a content-encoding as the bytes come; null for one that is not known. */
export function openDecoder(encoding: string, events: DecoderEvents): Decoder | null {
  const stream = decoders[encoding.trim().toLowerCase()]?.()
  if (stream === undefined) return null

  stream.on('data', (chunk: Buffer) => events.data(chunk))
  stream.on('end', () => events.end())
  stream.on('drain', () => events.drained())
  stream.on('error', (cause) =>
    events.fail(
      new GatewayError('upstream_failed', "The model's provider sent bytes that cannot be read.", {
        cause,
        why: `the answer is not valid ${encoding}`,
      }),
    ),
  )
  return {
    write: (chunk) => stream.write(chunk),
    end: () => stream.end(),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    destroy: () => stream.destroy(),
    get isFull() {
      return stream.writableNeedDrain
    },
  }
}
