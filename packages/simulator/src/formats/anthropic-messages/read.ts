import { RequestRefused, type Asked } from '../../answer.ts'
import { isObject, numberAt, objectsIn, stringAt, textOf, type JsonObject } from '../../json.ts'
import { estimateTokens } from '../../tokens.ts'

export function read(body: JsonObject): Asked {
  const model = stringAt(body, 'model')
  if (!model) throw missing('model')
  if (!Array.isArray(body['messages'])) throw missing('messages')
  const maxTokens = numberAt(body, 'max_tokens')
  if (maxTokens === undefined) throw missing('max_tokens')

  const messages = objectsIn(body['messages'])
  const last = messages.findLast((message) => message['role'] === 'user')?.['content']
  return {
    model,
    stream: body['stream'] === true,
    includeUsage: true,
    choices: 1,
    maxTokens,
    lastUserText: textOf(last),
    toolResult: messages.at(-1)?.['role'] === 'user' ? toolResult(last) : undefined,
    tools: callableTools(body),
    inputTokens: countInput(messages, body),
  }
}

function missing(param: string): RequestRefused {
  return new RequestRefused({ status: 400, message: `${param}: Field required`, param })
}

function toolResult(content: unknown): string | undefined {
  const results = objectsIn(content).filter((block) => block['type'] === 'tool_result')
  if (results.length === 0) return undefined
  return results.map((block) => textOf(block['content'])).join('\n')
}

function callableTools(body: JsonObject): Asked['tools'] {
  const choice = isObject(body['tool_choice']) ? body['tool_choice'] : {}
  if (choice['type'] === 'none') return []
  // The tools that the provider runs itself have no schema.
  const tools = objectsIn(body['tools'])
    .filter((tool) => tool['input_schema'] !== undefined)
    .map((tool) => ({ name: stringAt(tool, 'name') ?? '', schema: tool['input_schema'] }))
  if (choice['type'] !== 'tool') return tools
  return tools.filter((tool) => tool.name === choice['name'])
}

function countInput(messages: readonly JsonObject[], body: JsonObject): number {
  const offered = body['tools'] === undefined ? 0 : JSON.stringify(body['tools']).length
  const text = messages.reduce(
    (sum, { content }) => sum + textOf(content).length + (toolResult(content)?.length ?? 0),
    offered + textOf(body['system']).length,
  )
  return estimateTokens(text) + 3 * messages.length
}
