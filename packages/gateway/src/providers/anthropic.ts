import type { Provider } from '../provider.ts'

/** https://docs.anthropic.com/en/api/overview: the base URL is the bare origin. */
export const anthropic: Provider = {
  type: 'anthropic',
  endpoints: { 'anthropic-messages': '/v1/messages' },
  headers: (apiKey) => [
    // The client's own version goes first where it names one.
    ['anthropic-version', '2023-06-01'],
    ...(apiKey === null ? [] : [['x-api-key', apiKey] as const]),
  ],
}
