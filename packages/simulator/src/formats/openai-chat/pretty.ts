/** JSON as api.openai.com writes it where it does not stream. */
export function pretty(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
