import { below, type Random } from './random.ts'

const words =
  'lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute irure in reprehenderit voluptate velit esse cillum eu fugiat nulla pariatur'.split(
    ' ',
  )

// More would be one write per token of a prompt that was echoed whole.
const maxPieces = 8192

/** What the simulator calls a token: up to eight characters and the blank before them. */
export function tokensOf(text: string): readonly string[] {
  return text.match(/ ?\S{1,8}|\s/gu) ?? []
}

/** A prompt is only estimated, as benchmarks send long ones: four characters a token. */
export function estimateTokens(characters: number): number {
  return Math.ceil(characters / 4)
}

/** A piece of an answer as one event carries it. */
export interface Piece {
  readonly text: string
  readonly tokens: number
}

/** The pieces in which a text is streamed: a token each, or several where the text is very long. */
export function piecesOf(text: string): readonly Piece[] {
  const tokens = tokensOf(text)
  const each = Math.ceil(tokens.length / maxPieces)
  if (each <= 1) return tokens.map((token) => ({ text: token, tokens: 1 }))

  const pieces: Piece[] = []
  for (let start = 0; start < tokens.length; start += each) {
    const group = tokens.slice(start, start + each)
    pieces.push({ text: group.join(''), tokens: group.length })
  }
  return pieces
}

/** Filler of exactly `length` tokens. */
export function loremText(random: Random, length: number): string {
  let text = ''
  for (let position = 0; position < length; position += 1) {
    const word = words[below(random, words.length)] ?? 'lorem'
    const short = word.slice(0, 8)
    text += position === 0 ? `${short.charAt(0).toUpperCase()}${short.slice(1)}` : ` ${short}`
  }
  return text
}
