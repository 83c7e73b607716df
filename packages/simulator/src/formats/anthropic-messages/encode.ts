import type { Answer, Block } from '../../answer.ts'
import { below, randomWord, type Random } from '../../random.ts'
import { piecesOf, tokensOf } from '../../tokens.ts'
import type { Scene, StreamEvent } from '../format.ts'

const stopReasons = { stop: 'end_turn', length: 'max_tokens', 'tool-calls': 'tool_use' } as const

export function encodeWhole(answer: Answer, scene: Scene): string {
  return JSON.stringify({
    ...envelope(scene),
    content: answer.blocks.map((block) => wholeBlock(block, scene.random)),
    stop_reason: stopReasons[answer.finish],
    stop_sequence: null,
    stop_details: null,
    usage: usageOf(answer.usage.input, answer.usage.output),
  })
}

function envelope({ model, random }: Scene) {
  return { model, id: `msg_01${randomWord(random, 22)}`, type: 'message', role: 'assistant' }
}

function wholeBlock(block: Block, random: Random) {
  if (block.type === 'text') return { type: 'text', text: block.text }
  if (block.type === 'reasoning') {
    return { type: 'thinking', thinking: block.text, signature: signature(random) }
  }
  return { ...openedCall(block.name, random), input: JSON.parse(block.arguments) as unknown }
}

function signature(random: Random): string {
  return `Eq${randomWord(random, 178)}==`
}

function openedCall(name: string, random: Random) {
  const id = `toolu_01${randomWord(random, 22)}`
  return { type: 'tool_use', id, name, input: {}, caller: { type: 'direct' } }
}

function countsOf(input: number, output: number) {
  return {
    input_tokens: input,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: output,
  }
}

function usageOf(input: number, output: number) {
  return {
    ...countsOf(input, output),
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    service_tier: 'standard',
    inference_geo: 'global',
  }
}

export function encodeStream(answer: Answer, scene: Scene): readonly StreamEvent[] {
  const { random } = scene
  const message = {
    ...envelope(scene),
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    // The real one says a small number here, of which nothing can be made.
    usage: usageOf(answer.usage.input, 1 + below(random, 4)),
  }
  const events = [event({ type: 'message_start', message }, random)]
  for (const [index, block] of answer.blocks.entries()) {
    const [start, ...rest] = blockEvents(block, index, random)
    if (start) events.push(start)
    if (index === 0) events.push({ event: 'ping', data: '{"type": "ping"}', tokens: 0 })
    events.push(...rest, event({ type: 'content_block_stop', index }, random))
  }
  events.push(messageDelta(answer, random))
  events.push({ ...event({ type: 'message_stop' }, random), last: true })
  return events
}

function messageDelta({ finish, usage }: Answer, random: Random): StreamEvent {
  const delta = { stop_reason: stopReasons[finish], stop_sequence: null, stop_details: null }
  return event({ type: 'message_delta', delta, usage: countsOf(usage.input, usage.output) }, random)
}

interface Payload {
  readonly type: string
  readonly [key: string]: unknown
}

function event(payload: Payload, random: Random): StreamEvent {
  return { event: payload.type, data: padded(JSON.stringify(payload), random), tokens: 0 }
}

// The real one hides the length of its tokens with blanks before the last brace.
function padded(json: string, random: Random): string {
  return `${json.slice(0, -1)}${'               '.slice(below(random, 16))}}`
}

function blockEvents(block: Block, index: number, random: Random): readonly StreamEvent[] {
  const start = (content_block: object) =>
    event({ type: 'content_block_start', index, content_block }, random)
  const deltas = (key: string, texts: readonly { text: string; tokens: number }[]) =>
    texts.map(({ text, tokens }) => delta({ index, key, text, tokens }, random))

  if (block.type === 'text') {
    return [start({ type: 'text', text: '' }), ...deltas('text', piecesOf(block.text))]
  }
  if (block.type === 'reasoning') {
    return [
      start({ type: 'thinking', thinking: '', signature: '' }),
      ...deltas('thinking', piecesOf(block.text)),
      ...deltas('signature', [{ text: signature(random), tokens: 0 }]),
    ]
  }
  // A call without arguments has no fragment but the first, empty one.
  const fragments = block.arguments === '{}' ? [] : tokensOf(block.arguments)
  const texts = ['', ...fragments].map((text) => ({ text, tokens: 1 }))
  return [start(openedCall(block.name, random)), ...deltas('partial_json', texts)]
}

interface DeltaParts {
  readonly index: number
  readonly key: string
  readonly text: string
  readonly tokens: number
}

function delta({ index, key, text, tokens }: DeltaParts, random: Random): StreamEvent {
  const type = key === 'partial_json' ? 'input_json_delta' : `${key}_delta`
  const json = `{"type":"content_block_delta","index":${index},"delta":{"type":"${type}","${key}":${JSON.stringify(text)}}}`
  return { event: 'content_block_delta', data: padded(json, random), tokens }
}
