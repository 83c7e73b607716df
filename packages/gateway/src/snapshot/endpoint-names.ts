/** What `roles.*.allow[].endpoints` may name, whether this version serves it or not. */
export const endpointNames: readonly string[] = [
  'chat.completions',
  'responses',
  'completions',
  'embeddings',
  'images.generations',
  'images.edits',
  'audio.speech',
  'audio.transcriptions',
  'audio.translations',
  'moderations',
  'rerank',
  'models',
  'files',
  'batches',
  'realtime',
  'messages',
  'messages.count_tokens',
  'generateContent',
  'embedContent',
  'countTokens',
  'converse',
]

/** `apis.` and `mcp.` are followed by a name of the operator's own. */
export function isEndpointName(name: string): boolean {
  return endpointNames.includes(name) || /^(apis|mcp)\../.test(name)
}
