import { BlockList, isIP } from 'node:net'
import { z } from 'zod'
import { parseDuration } from '../lib/duration.ts'
import { parseSize } from '../lib/size.ts'

/**
 * Kinds of text that the configuration is made of. Their messages are the ends of sentences that
 * begin with the member's path and end with what stands there instead.
 */

/** Timers of the platform hold no more than this. */
const longestTimer = 24 * 86_400_000

export const timer = durationUpTo(longestTimer, 'at least 1ms and at most 24d')
export const period = durationUpTo(Number.MAX_SAFE_INTEGER, 'longer than nothing')

function durationUpTo(longest: number, range: string) {
  return z
    .string()
    .regex(/^\d+(ms|s|m|h|d|y)$/, 'must be a duration such as 250ms, 30s, 5m, 8h, 7d or 7y')
    .transform((text) => parseDuration(text) ?? Infinity)
    .refine((milliseconds) => milliseconds >= 1 && milliseconds <= longest, `must be ${range}`)
}

export const size = z
  .string()
  .regex(/^\d+(B|KiB|MiB|GiB)$/, 'must be a size such as 512B, 64KiB, 10MiB or 1GiB')
  .transform((text) => parseSize(text) ?? Infinity)
  .refine((bytes) => bytes >= 1 && Number.isFinite(bytes), 'must be a size of at least 1B')

export interface Address {
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  readonly port: number
}

export const address = z
  .string()
  .regex(
    /^(\[[0-9A-Fa-f:.]+\]|[^\s:[\]/]+):\d{1,5}$/,
    'must be an address such as 127.0.0.1:8080 or [::1]:8080',
  )
  .transform(parseAddress)
  .refine(({ port }) => port <= 65_535, 'must have a port of at most 65535')
  .refine(({ host }) => !host.includes(':') || isIP(host) === 6, 'must hold a valid IPv6 address')

function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}

export const network = z
  .string()
  .refine(isNetwork, 'must be an IP address or a network such as 10.0.0.0/8')

function isNetwork(text: string): boolean {
  const [base = '', prefix, ...rest] = text.split('/')
  const family = isIP(base)
  if (family === 0 || rest.length > 0) return false
  if (prefix === undefined) return true
  if (!/^\d{1,3}$/.test(prefix)) return false
  try {
    new BlockList().addSubnet(base, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
    return true
  } catch {
    return false
  }
}

export const baseUrl = z
  .string()
  .refine(isBaseUrl, 'must be an http or https URL without user name, query and fragment')
  .transform((text) => text.replace(/\/+$/, ''))

function isBaseUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || /[\s?#]/.test(text)) return false
  if (!['http:', 'https:'].includes(url.protocol) || !/^https?:\/\//i.test(text)) return false
  return url.username === '' && url.password === ''
}

/** What goes into a header: no blanks, no control characters. */
export const credential = z
  .string()
  .regex(/^[\x21-\x7e]+$/, 'must be one word of printable ASCII characters')

export const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 digest: 64 lower-case hexadecimal digits')

/** A day begins at midnight UTC. */
export const moment = z
  .string()
  .refine(
    (text) => parseMoment(text) !== null,
    'must be a date such as 2027-01-01 or a time such as 2027-01-01T08:00:00Z',
  )
  .transform((text) => parseMoment(text) ?? 0)

const momentPattern = /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/

function parseMoment(text: string): number | null {
  const [, year, month, day] = momentPattern.exec(text) ?? []
  if (year === undefined) return null
  // Date.parse takes 30 February for 1 March.
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  const time = Date.parse(text)
  return Number.isNaN(time) || Number(day) > lastDay ? null : time
}

/** Names appear in records and headers, so they are text that can be written down. */
export const name = z
  .string()
  .min(1, 'must not be empty')
  .max(200, 'must have at most 200 characters')
  .refine(isName, 'must hold no control characters and no blanks at its ends')

// Cs are halves of surrogate pairs, which UTF-8 cannot hold.
function isName(text: string): boolean {
  return text.trim() === text && !/[\p{Cc}\p{Cs}]/u.test(text)
}

export const path = z.string().min(1, 'must be the path of a file')
