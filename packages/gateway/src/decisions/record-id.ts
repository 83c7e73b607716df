const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Ids of decisions are UUIDv7 in lower case: as texts they sort by time. */
export function isRecordId(text: string): boolean {
  return pattern.test(text)
}

/** When the exchange with this id began, in milliseconds since 1970. */
export function idTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** The part of an id that holds the time: no id of this millisecond or later sorts before it. */
export function idPrefix(time: number): string {
  const hex = Math.max(0, Math.floor(time)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}
