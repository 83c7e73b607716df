export interface Part {
  readonly [name: string]: unknown
}

/** `changes` over `base`: objects are merged, null takes a member out, all else is replaced. */
export function merge(base: Part, changes: Part): Part {
  const merged: { [name: string]: unknown } = { ...base }
  for (const [name, value] of Object.entries(changes)) {
    const before = merged[name]
    if (value === null) delete merged[name]
    else merged[name] = isPart(before) && isPart(value) ? merge(before, value) : value
  }
  return merged
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
