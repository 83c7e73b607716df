import type { Principal } from '../exchange.ts'

/** Every key of every app, packed: handed to the workers by reference and replaced whole. */
export interface DirectoryImage {
  readonly buffer: SharedArrayBuffer
  /** Rises by one whenever the content changes. */
  readonly revision: number
  readonly keys: number
}

export interface DirectoryEntry {
  /** 64 lower-case hexadecimal digits. */
  readonly digest: string
  /** Milliseconds since 1970, or null. */
  readonly expires: number | null
  readonly tenant: string
  readonly team: string | null
  readonly app: string
  readonly roles: readonly string[]
}

/** A worker's view of an image. */
export interface Directory {
  readonly revision: number
  /**
   * The entry of a key by the SHA-256 of the key, or -1. It takes the 64 hexadecimal digits that
   * `crypto.hash` returns: making a Buffer of them costs more than reading them here.
   */
  find(digest: string): number
  /** Milliseconds since 1970; Infinity if the key does not expire. */
  expires(entry: number): number
  principal(entry: number): Principal
}

// The image, each part after the other, numbers in the machine's own byte order:
//   header    16 × uint32
//   expires   keys × float64
//   digests   keys × 8 × uint32
//   apps      keys × uint32         the app of each key
//   slots     capacity × uint32     entry + 1, or 0; open addressing, linear probing
//   owners    apps × 4 × uint32     tenant, team + 1 or 0, app, roles: numbers of strings
//   ends      strings × uint32      where each string ends in the heap
//   heap      UTF-8                 every string once; a list of roles is one string of JSON
const headerWords = 16
const magic = 0x534c4331
const digestWords = 8
const ownerWords = 4
const maxCached = 4_096

interface Shape {
  readonly keys: number
  readonly capacity: number
  readonly owners: number
  readonly strings: number
  readonly heap: number
}

function viewsOf(buffer: SharedArrayBuffer, { keys, capacity, owners, strings, heap }: Shape) {
  const expires = headerWords * 4
  const digests = expires + keys * 8
  const apps = digests + keys * digestWords * 4
  const slots = apps + keys * 4
  const ownerTable = slots + capacity * 4
  const ends = ownerTable + owners * ownerWords * 4
  const text = ends + strings * 4
  return {
    header: new Uint32Array(buffer, 0, headerWords),
    expires: new Float64Array(buffer, expires, keys),
    digests: new Uint32Array(buffer, digests, keys * digestWords),
    apps: new Uint32Array(buffer, apps, keys),
    slots: new Uint32Array(buffer, slots, capacity),
    owners: new Uint32Array(buffer, ownerTable, owners * ownerWords),
    ends: new Uint32Array(buffer, ends, strings),
    heap: Buffer.from(buffer, text, heap),
  }
}

type Views = ReturnType<typeof viewsOf>

function sizeOf({ keys, capacity, owners, strings, heap }: Shape): number {
  const words = headerWords + keys * (2 + digestWords + 1) + capacity
  return (words + owners * ownerWords + strings) * 4 + heap
}

/** Packs the keys into one buffer. The same digest twice is an error. */
export function packDirectory(entries: Iterable<DirectoryEntry>, revision: number): DirectoryImage {
  const all = [...entries]
  const strings = new StringTable()
  const owners = new OwnerTable(strings)
  const apps = all.map((entry) => owners.add(entry))

  const shape: Shape = {
    keys: all.length,
    capacity: 2 ** Math.ceil(Math.log2(Math.max(all.length * 2, 8))),
    owners: owners.count,
    strings: strings.texts.length,
    heap: strings.bytes,
  }
  const buffer = new SharedArrayBuffer(sizeOf(shape))
  const views = viewsOf(buffer, shape)
  views.header.set([magic, shape.keys, shape.capacity, shape.owners, shape.strings, shape.heap])
  views.apps.set(apps)
  views.owners.set(owners.words)
  strings.writeTo(views)
  for (const [entry, key] of all.entries()) writeKey(views, entry, key)
  return { buffer, revision, keys: all.length }
}

function writeKey(views: Views, entry: number, { digest, expires }: DirectoryEntry): void {
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error(`not a SHA-256 digest: "${digest}"`)
  const words = readDigest(digest, new Uint32Array(digestWords))
  const found = probe(views, words)
  if (found >= 0) throw new Error(`the digest "${digest}" is there twice`)
  views.slots[~found] = entry + 1
  views.expires[entry] = expires ?? Infinity
  views.digests.set(words, entry * digestWords)
}

export function hasSameContent(one: DirectoryImage, other: DirectoryImage): boolean {
  return Buffer.from(one.buffer).equals(Buffer.from(other.buffer))
}

/** Opens an image in the thread that will use it. */
export function openDirectory({ buffer, revision }: DirectoryImage): Directory {
  const views = viewsOf(buffer, shapeOf(buffer))
  const scratch = new Uint32Array(digestWords)
  const cache = createCache((entry) => decodePrincipal(views, entry))
  return {
    revision,
    find: (digest) =>
      digest.length === digestWords * 8
        ? Math.max(probe(views, readDigest(digest, scratch)), -1)
        : -1,
    expires: (entry) => views.expires[entry] ?? Infinity,
    principal: cache,
  }
}

function shapeOf(buffer: SharedArrayBuffer): Shape {
  const [mark, keys = 0, capacity = 0, owners = 0, strings = 0, heap = 0] = new Uint32Array(
    buffer,
    0,
    headerWords,
  )
  if (mark !== magic) throw new Error('not a directory image')
  return { keys, capacity, owners, strings, heap }
}

/** The entry of the digest, or the complement of the free slot where it would go. */
function probe({ slots, digests }: Views, digest: Uint32Array): number {
  const last = slots.length - 1
  // A slot is always free: at most half of them are taken.
  for (let slot = mix(digest) & last; ; slot = (slot + 1) & last) {
    const entry = (slots[slot] ?? 0) - 1
    if (entry < 0) return ~slot
    if (isSame(digests, entry, digest)) return entry
  }
}

/** Digests are random, but those that people make up for tests are not. */
function mix(digest: Uint32Array): number {
  let mixed = 0
  for (const word of digest) mixed = Math.imul(mixed ^ word, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}

function isSame(digests: Uint32Array, entry: number, digest: Uint32Array): boolean {
  for (let word = 0; word < digestWords; word++) {
    if (digests[entry * digestWords + word] !== digest[word]) return false
  }
  return true
}

/** Reads 64 lower-case hexadecimal digits into eight words. */
function readDigest(digest: string, into: Uint32Array): Uint32Array {
  for (let word = 0; word < digestWords; word++) {
    let value = 0
    for (let at = word * 8; at < word * 8 + 8; at++) {
      const code = digest.charCodeAt(at)
      value = (value << 4) | (code < 58 ? code - 48 : code - 87)
    }
    into[word] = value
  }
  return into
}

function decodePrincipal(views: Views, entry: number): Principal {
  const owner = (views.apps[entry] ?? 0) * ownerWords
  const [tenant = 0, team = 0, app = 0, roles = 0] = views.owners.subarray(
    owner,
    owner + ownerWords,
  )
  const word = (index: number) =>
    (views.digests[entry * digestWords + index] ?? 0).toString(16).padStart(8, '0')
  return {
    kind: 'app',
    tenant: textOf(views, tenant),
    team: team === 0 ? null : textOf(views, team - 1),
    app: textOf(views, app),
    key: `key_${(word(0) + word(1)).slice(0, 12)}`,
    roles: JSON.parse(textOf(views, roles)) as string[],
  }
}

function textOf({ ends, heap }: Views, index: number): string {
  return heap.toString('utf8', index === 0 ? 0 : ends[index - 1], ends[index])
}

/** Two generations: what was used since the last turn survives it. Never more than maxCached. */
function createCache(decode: (entry: number) => Principal): (entry: number) => Principal {
  let recent = new Map<number, Principal>()
  let older = new Map<number, Principal>()
  return (entry) => {
    const hit = recent.get(entry)
    if (hit !== undefined) return hit
    const principal = older.get(entry) ?? decode(entry)
    if (recent.size >= maxCached / 2) {
      older = recent
      recent = new Map()
    }
    recent.set(entry, principal)
    return principal
  }
}

/** Every text once. */
class StringTable {
  readonly texts: string[] = []
  bytes = 0
  readonly #numbers = new Map<string, number>()

  add(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    const number = this.texts.push(text) - 1
    this.#numbers.set(text, number)
    this.bytes += Buffer.byteLength(text)
    return number
  }

  writeTo({ ends, heap }: Views): void {
    let end = 0
    for (const [index, text] of this.texts.entries()) {
      end += heap.write(text, end)
      ends[index] = end
    }
  }
}

/** Every app once, however many keys it has. */
class OwnerTable {
  readonly words: number[] = []
  readonly #strings: StringTable
  readonly #numbers = new Map<string, number>()

  constructor(strings: StringTable) {
    this.#strings = strings
  }

  get count(): number {
    return this.#numbers.size
  }

  add({ tenant, team, app, roles }: DirectoryEntry): number {
    const strings = this.#strings
    const words = [
      strings.add(tenant),
      team === null ? 0 : strings.add(team) + 1,
      strings.add(app),
      strings.add(JSON.stringify(roles)),
    ]
    const identity = words.join()
    const known = this.#numbers.get(identity)
    if (known !== undefined) return known
    const number = this.#numbers.size
    this.#numbers.set(identity, number)
    this.words.push(...words)
    return number
  }
}
