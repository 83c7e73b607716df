import type { Path } from './fault.ts'

/** Members that the configuration will have and that this version refuses. `*` is any one name. */
const members: readonly string[] = [
  'counters',
  'apis',
  'identity',
  'prompts',
  'calendars',
  'plans',
  'limits',
  'policies',
  'cache',
  'audit',
  'alerts',
  'telemetry.otlp',
  ...below('providers.*', ['residency', 'health', 'formats', 'region', 'accessKeyId']),
  ...below('providers.*', ['secretAccessKey']),
  ...below('models.*', ['labels', 'versions', 'default', 'canary', 'strategy', 'stickyBy']),
  ...below('models.*', ['retries', 'fallback', 'hedge', 'breaker', 'residency', 'contextWindow']),
  ...below('models.*', ['policies', 'answerModel']),
  ...below('models.*.targets.*', ['weight', 'price']),
  ...below('roles.*.allow.*', ['apis', 'tools', 'params', 'prompts', 'dataClasses', 'when']),
  ...below('tenants.*', ['policies', 'limits', 'users']),
  ...below('tenants.*.teams.*', ['limits', 'policies']),
  ...below('tenants.*.apps.*', ['mayAssertUser', 'plan', 'pin', 'policies']),
]

/** Values that a member will take and that this version refuses. */
const values: Readonly<Record<string, RegExp>> = {
  'store.url': /^postgres(ql)?:/,
  'providers.*.type': /^(azure|bedrock|gemini|vertex)$/,
  'decisions.payloads': /^(hashed|masked|encrypted)$/,
}

function below(parent: string, names: readonly string[]): readonly string[] {
  return names.map((name) => `${parent}.${name}`)
}

const memberPaths = members.map((path) => path.split('.'))

/** Whether the member is known, and refused for now. */
export function isMemberNotSupported(path: Path): boolean {
  return memberPaths.some((pattern) => fits(pattern, path))
}

/** Whether the value is known, and refused for now. */
export function isValueNotSupported(path: Path, value: unknown): boolean {
  if (typeof value !== 'string') return false
  return Object.entries(values).some(
    ([pattern, words]) => fits(pattern.split('.'), path) && words.test(value),
  )
}

/** The names of refused members right below a path, for suggestions. */
export function membersNotSupportedBelow(path: Path): readonly string[] {
  return memberPaths
    .filter((pattern) => fits(pattern.slice(0, -1), path))
    .map((pattern) => pattern.at(-1) ?? '')
}

function fits(pattern: readonly string[], path: Path): boolean {
  return (
    pattern.length === path.length &&
    pattern.every((segment, index) => segment === '*' || segment === String(path[index]))
  )
}
