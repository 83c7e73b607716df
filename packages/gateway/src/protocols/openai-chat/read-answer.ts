import type { Usage } from '../../exchange.ts'
import { asCount, asObject, asString } from '../../lib/json-values.ts'
import type { AnswerFacts, JsonObject } from '../../protocol.ts'

export function readAnswer(answer: JsonObject): AnswerFacts {
  const choices = answer['choices']
  const first = Array.isArray(choices) ? asObject(choices[0]) : null
  return {
    model: asString(answer['model']),
    finish: asString(first?.['finish_reason']),
    usage: readUsage(answer['usage']),
  }
}

/** Token counts in disjoint classes. OpenAI's `prompt_tokens` include what came from its cache. */
export function readUsage(value: unknown): Usage | null {
  const usage = asObject(value)
  if (usage === null) return null
  const prompt = asCount(usage['prompt_tokens'])
  const completion = asCount(usage['completion_tokens'])
  if (prompt + completion === 0) return null

  const cacheRead = cachedTokens(usage)
  const reasoning = asCount(asObject(usage['completion_tokens_details'])?.['reasoning_tokens'])
  return {
    // More from the cache than in the prompt: this provider leaves the cached ones out of it.
    input: cacheRead > prompt ? prompt : prompt - cacheRead,
    cacheRead,
    cacheWrite: 0,
    output: countsReasoningApart(usage, reasoning) ? completion : completion - reasoning,
    reasoning,
    source: 'provider',
  }
}

function cachedTokens(usage: JsonObject): number {
  // DeepSeek names hits and misses; Together and Mistral put the count at the top.
  return (
    asCount(asObject(usage['prompt_tokens_details'])?.['cached_tokens']) ||
    asCount(usage['prompt_cache_hit_tokens']) ||
    asCount(usage['cached_tokens'])
  )
}

/** Some providers' `completion_tokens` leave reasoning out; sizes or the total tell. */
function countsReasoningApart(usage: JsonObject, reasoning: number): boolean {
  const completion = asCount(usage['completion_tokens'])
  const parts = asCount(usage['prompt_tokens']) + completion
  const total = asCount(usage['total_tokens'])
  return reasoning > completion || (reasoning > 0 && total === parts + reasoning)
}
