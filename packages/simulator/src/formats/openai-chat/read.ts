import { RequestRefused, type Asked } from '../../answer.ts'
import { isObject, numberAt, objectsIn, stringAt, textOf, type JsonObject } from '../../json.ts'
import { estimateTokens } from '../../tokens.ts'

export function read(body: JsonObject): Asked {
  const model = stringAt(body, 'model')
  if (!model)
    throw new RequestRefused({ status: 400, message: 'you must provide a model parameter' })
  if (!Array.isArray(body['messages'])) throw missing('messages')
  if (Array.isArray(body['tools']) && body['tools'].length === 0) throw emptyTools()

  const messages = objectsIn(body['messages'])
  const streamOptions = isObject(body['stream_options']) ? body['stream_options'] : {}
  return {
    model,
    stream: body['stream'] === true,
    includeUsage: streamOptions['include_usage'] === true,
    choices: Math.min(Math.max(numberAt(body, 'n') ?? 1, 1), 128),
    maxTokens: numberAt(body, 'max_completion_tokens') ?? numberAt(body, 'max_tokens'),
    lastUserText: textOf(messages.findLast((message) => message['role'] === 'user')?.['content']),
    toolResult: toolResult(messages),
    tools: callableTools(body),
    inputTokens: countInput(messages, body['tools']),
  }
}

function missing(param: string): RequestRefused {
  const message = `Missing required parameter: '${param}'.`
  return new RequestRefused({ status: 400, message, param, code: 'missing_required_parameter' })
}

function emptyTools(): RequestRefused {
  const message =
    "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead."
  return new RequestRefused({ status: 400, message, param: 'tools', code: 'empty_array' })
}

function toolResult(messages: readonly JsonObject[]): string | undefined {
  const after = messages.findLastIndex((message) => message['role'] !== 'tool') + 1
  if (after === messages.length) return undefined
  return messages
    .slice(after)
    .map((message) => textOf(message['content']))
    .join('\n')
}

function callableTools(body: JsonObject): Asked['tools'] {
  const choice = body['tool_choice']
  if (choice === 'none') return []
  const tools = objectsIn(body['tools'])
    .map((tool) => (isObject(tool['function']) ? tool['function'] : {}))
    .map((tool) => ({ name: stringAt(tool, 'name') ?? '', schema: tool['parameters'] }))
  if (!isObject(choice) || !isObject(choice['function'])) return tools

  const name = stringAt(choice['function'], 'name')
  return tools.filter((tool) => tool.name === name)
}

function countInput(messages: readonly JsonObject[], tools: unknown): number {
  const offered = tools === undefined ? 0 : JSON.stringify(tools).length
  const text = messages.reduce((sum, message) => sum + textOf(message['content']).length, offered)
  return estimateTokens(text) + 3 * messages.length
}
