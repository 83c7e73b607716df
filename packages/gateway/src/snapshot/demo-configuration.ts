import { newKey } from './new-key.ts'

/** What `sluice start` runs without a file: the simulator, one tenant, one app, one fresh key. */
export function demoConfiguration(): { readonly text: string; readonly key: string } {
  const { key, digest } = newKey()
  const text = `# The demo: everything is answered by the built-in simulator.
version: 1

providers:
  demo: { type: simulator }

models:
  assistant: { targets: [{ provider: demo, model: lorem }] }
  echo: { targets: [{ provider: demo, model: echo }] }
  # No role allows this one, so that there is something to be refused.
  restricted: { targets: [{ provider: demo, model: lorem }] }

roles:
  member:
    allow:
      - models: [assistant, echo]

tenants:
  demo:
    teams:
      newcomers: {}
    apps:
      first-app:
        team: newcomers
        roles: [member]
        keys:
          - sha256: ${digest}
`
  return { text, key }
}
