import type { Answer, Usage } from '../../answer.ts'
import { below, randomWord } from '../../random.ts'
import { piecesOf, tokensOf } from '../../tokens.ts'
import type { Scene, StreamEvent } from '../format.ts'
import { pretty } from './pretty.ts'

const finishReasons = { stop: 'stop', length: 'length', 'tool-calls': 'tool_calls' } as const

const fingerprint = 'fp_5a1c3d0e42'

export function encodeWhole(answers: readonly Answer[], scene: Scene): string {
  return pretty({
    id: `chatcmpl-${randomWord(scene.random, 29)}`,
    object: 'chat.completion',
    created: scene.created,
    model: scene.model,
    choices: answers.map((answer, index) => ({
      index,
      message: wholeMessage(answer, scene),
      logprobs: null,
      finish_reason: finishReasons[answer.finish],
    })),
    usage: usageOf(answers),
    service_tier: 'default',
    system_fingerprint: fingerprint,
  })
}

function wholeMessage({ blocks }: Answer, scene: Scene) {
  const text = blocks.filter((block) => block.type === 'text').map((block) => block.text)
  const reasoning = blocks.filter((block) => block.type === 'reasoning').map((block) => block.text)
  const calls = blocks.filter((block) => block.type === 'tool-call')
  return {
    role: 'assistant',
    content: text.length > 0 ? text.join('') : null,
    ...(reasoning.length > 0 && { reasoning_content: reasoning.join('') }),
    ...(calls.length > 0 && {
      tool_calls: calls.map((call) => ({
        id: callId(scene),
        type: 'function',
        function: { name: call.name, arguments: call.arguments },
      })),
    }),
    refusal: null,
    annotations: [],
  }
}

function callId(scene: Scene): string {
  return `call_${randomWord(scene.random, 24)}`
}

function usageOf(answers: readonly Answer[]) {
  const sum = (count: (usage: Usage) => number) =>
    answers.reduce((total, answer) => total + count(answer.usage), 0)
  const input = answers[0]?.usage.input ?? 0
  const output = sum((usage) => usage.output)
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: sum((usage) => usage.reasoning),
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

interface Delta {
  readonly json: string
  readonly tokens: number
  readonly finish?: string
}

export function encodeStream(answers: readonly Answer[], scene: Scene): readonly StreamEvent[] {
  const id = `chatcmpl-${randomWord(scene.random, 29)}`
  const head = `{"id":"${id}","object":"chat.completion.chunk","created":${scene.created},"model":${JSON.stringify(scene.model)},"service_tier":"default","system_fingerprint":"${fingerprint}","choices":[`
  const usage = scene.asked.includeUsage ? ',"usage":null' : ''

  const events = interleave(answers.map((answer) => deltasOf(answer, scene))).map(
    ({ index, delta }): StreamEvent => ({
      data: `${head}{"index":${index},"delta":${delta.json},"logprobs":null,"finish_reason":${delta.finish ?? 'null'}}]${usage},${obfuscation(scene)}}`,
      tokens: delta.tokens,
    }),
  )
  if (scene.asked.includeUsage) {
    const data = `${head}],"usage":${JSON.stringify(usageOf(answers))},${obfuscation(scene)}}`
    events.push({ data, tokens: 0 })
  }
  events.push({ data: '[DONE]', tokens: 0, last: true })
  return events
}

// The real one hides the length of its tokens with a key of random length in every chunk.
function obfuscation(scene: Scene): string {
  return `"obfuscation":"${'kQ3xv8Zr0LmT5wYb'.slice(below(scene.random, 16))}"`
}

function deltasOf(answer: Answer, scene: Scene): readonly Delta[] {
  const says = answer.blocks[0]?.type === 'tool-call' ? 'null' : '""'
  const deltas: Delta[] = [
    { json: `{"role":"assistant","content":${says},"refusal":null}`, tokens: 0 },
  ]
  let calls = 0
  for (const block of answer.blocks) {
    if (block.type === 'tool-call') {
      deltas.push(...callDeltas(block, calls, scene))
      calls += 1
      continue
    }
    const key = block.type === 'text' ? 'content' : 'reasoning_content'
    for (const { text, tokens } of piecesOf(block.text)) {
      deltas.push({ json: `{"${key}":${JSON.stringify(text)}}`, tokens })
    }
  }
  deltas.push({ json: '{}', tokens: 0, finish: `"${finishReasons[answer.finish]}"` })
  return deltas
}

function callDeltas(
  call: { readonly name: string; readonly arguments: string },
  index: number,
  scene: Scene,
): readonly Delta[] {
  const opening = {
    index,
    id: callId(scene),
    type: 'function',
    function: { name: call.name, arguments: '' },
  }
  return [
    { json: JSON.stringify({ tool_calls: [opening] }), tokens: 1 },
    ...tokensOf(call.arguments).map((fragment) => ({
      json: JSON.stringify({ tool_calls: [{ index, function: { arguments: fragment } }] }),
      tokens: 1,
    })),
  ]
}

/** Several choices come in turns, each chunk saying which choice it belongs to. */
function interleave(choices: readonly (readonly Delta[])[]) {
  const [only] = choices
  if (choices.length === 1 && only) return only.map((delta) => ({ index: 0, delta }))

  const longest = Math.max(...choices.map((deltas) => deltas.length))
  const turns: { index: number; delta: Delta }[] = []
  for (let turn = 0; turn < longest; turn += 1) {
    for (const [index, deltas] of choices.entries()) {
      const delta = deltas[turn]
      if (delta) turns.push({ index, delta })
    }
  }
  return turns
}
