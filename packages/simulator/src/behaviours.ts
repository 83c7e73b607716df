import type { Answer, Asked, Block } from './answer.ts'
import { fitSchema } from './fit-schema.ts'
import type { Options } from './options.ts'
import { createRandom, type Random } from './random.ts'
import { loremText, tokensOf } from './tokens.ts'

const defaultLength = 64

/** What a model has to go by. */
export interface Prompt {
  readonly asked: Asked
  readonly options: Options
  /** The request as it arrived, as JSON text, for `echo`. */
  readonly arrived: () => string
}

/** How a model behaves: what it says, the options it starts from, and what goes wrong. */
export interface Behaviour {
  readonly about: string
  readonly say: (prompt: Prompt, random: Random) => Draft
  readonly presets?: Options
  readonly fault?: 'cut-off' | 'malformed' | 'hang'
}

type Draft = Omit<Answer, 'usage'>

/** Every model, as the README lists them. */
export const behaviours = {
  echo: { about: 'says the text of the last user message, and nothing else', say: echo },
  lorem: { about: 'says filler of `length` tokens (64)', say: lorem },
  tools: {
    about:
      'calls the first tool that was offered, with arguments that fit its schema; after a tool result, says that result',
    say: callTools,
  },
  reasoning: { about: 'thinks for 16 tokens, then says filler', say: reason },
  slow: {
    about: 'filler, two seconds to the first byte and then five tokens per second',
    say: lorem,
    presets: { latency: 2000, tps: 5 },
  },
  'error-429': {
    about: 'refuses with status 429 and `retry-after: 1`',
    say: lorem,
    presets: { status: 429 },
  },
  'error-500': { about: 'fails with status 500', say: lorem, presets: { status: 500 } },
  'error-<status>': {
    about: 'fails with any status from 400 to 599, in the envelope of the provider',
    say: lorem,
  },
  'cut-off': {
    about: 'filler that breaks off in the middle, by a reset of the connection',
    say: lorem,
    fault: 'cut-off',
  },
  malformed: {
    about: 'status 200 with broken JSON, or with one broken event in the middle of a stream',
    say: lorem,
    fault: 'malformed',
  },
  hang: { about: 'accepts the request and never answers', say: lorem, fault: 'hang' },
} satisfies { readonly [model: string]: Behaviour }

/** The behaviour of a model's name; whatever is unknown is an echo. */
export function behaviourOf(name: string): Behaviour {
  const known: { readonly [model: string]: Behaviour } = behaviours
  if (Object.hasOwn(known, name)) return known[name] ?? behaviours.echo

  const status = /^error-([45]\d\d)$/.exec(name)?.[1]
  if (status === undefined) return behaviours.echo
  return { ...behaviours['error-<status>'], presets: { status: Number(status) } }
}

/** The answers to one request: as many as it asked for, each from a seed of its own. */
export function answer(behaviour: Behaviour, prompt: Prompt, seed: number): readonly Answer[] {
  return Array.from({ length: prompt.asked.choices }, (_, index) => {
    const draft = behaviour.say(prompt, createRandom(seed + index))
    return { ...draft, usage: usageOf(draft.blocks, prompt.asked.inputTokens) }
  })
}

function usageOf(blocks: readonly Block[], input: number): Answer['usage'] {
  let output = 0
  let reasoning = 0
  for (const block of blocks) {
    const text = block.type === 'tool-call' ? block.arguments : block.text
    const tokens = tokensOf(text).length + (block.type === 'tool-call' ? 1 : 0)
    output += tokens
    if (block.type === 'reasoning') reasoning += tokens
  }
  return { input, output, reasoning }
}

function echo({ asked, options, arrived }: Prompt): Draft {
  const text = (options.echo ?? 'text') === 'text' ? asked.lastUserText : arrived()
  return { blocks: [{ type: 'text', text }], finish: 'stop' }
}

function lorem({ asked, options }: Prompt, random: Random): Draft {
  const wanted = options.length ?? defaultLength
  const length = Math.min(wanted, asked.maxTokens ?? wanted)
  const text = loremText(random, length)
  return { blocks: [{ type: 'text', text }], finish: length < wanted ? 'length' : 'stop' }
}

function reason(prompt: Prompt, random: Random): Draft {
  const said = lorem(prompt, random)
  return { ...said, blocks: [{ type: 'reasoning', text: loremText(random, 16) }, ...said.blocks] }
}

function callTools({ asked, options }: Prompt, random: Random): Draft {
  // An agent would call for ever if a result did not end it.
  if (asked.toolResult !== undefined) return text(asked.toolResult)
  if (asked.tools.length === 0) return text('No tool was offered.')

  const calls = Array.from({ length: Math.min(options.calls ?? 1, 128) }, (_, index): Block => {
    const tool = asked.tools[index % asked.tools.length]
    return {
      type: 'tool-call',
      name: tool?.name ?? '',
      arguments: JSON.stringify(fitSchema(tool?.schema)),
    }
  })
  const said: readonly Block[] = options.length
    ? [{ type: 'text', text: loremText(random, options.length) }]
    : []
  return { blocks: [...said, ...calls], finish: calls.length > 0 ? 'tool-calls' : 'stop' }
}

function text(words: string): Draft {
  return { blocks: [{ type: 'text', text: words }], finish: 'stop' }
}
