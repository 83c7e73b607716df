import { RequestRefused } from './answer.ts'

interface Option<Value> {
  readonly values: string
  readonly about: string
  readonly read: (text: string) => Value | undefined
}

/** Every option, as the README lists them. */
export const optionTable = {
  latency: count('milliseconds before the first byte'),
  tps: count('tokens per second; 0 is as fast as it goes'),
  length: count('tokens in the answer'),
  cut: {
    values: '`event`, `whole`, `random`, a number',
    about:
      'how the bytes are cut into writes: one per event, one in all, at random offsets, or pieces of so many bytes',
    read: (text) => readWord(text, ['event', 'whole', 'random']) ?? readCount(text, 1),
  } satisfies Option<'event' | 'whole' | 'random' | number>,
  cutoff: count('cuts the stream off after so many events'),
  half: flag('cuts the stream off in the middle of an event'),
  end: {
    ...words(['reset', 'fin', 'close']),
    about:
      'how a cut-off answer ends: the connection is reset, it is closed, or the HTTP body ends as if it were whole',
  },
  eol: { ...words(['lf', 'crlf', 'cr']), about: 'the end of a line in a stream' },
  gzip: flag('sends `content-encoding: gzip` although nobody asked for it'),
  seed: count('what the text, the ids and the random cuts are drawn from'),
  padding: count('blank bytes before a JSON body'),
  status: {
    values: '200 to 599',
    about: 'the status; from 400 on the answer is an error in the envelope of the provider',
    read: (text) => readCount(text, 200, 599),
  } satisfies Option<number>,
  'content-type': text('a media type, or `none`', 'the type that the answer claims to have'),
  'no-done': flag('leaves out the last event of a stream (`[DONE]`, `message_stop`)'),
  'mid-error': count('an error event after so many events, and then the end'),
  'invalid-utf8': flag('puts a byte into the text that is not UTF-8'),
  redirect: text('a URL', 'answers with a redirect to it, status 307 unless `status` says another'),
  echo: {
    ...words(['text', 'request', 'body']),
    about:
      'what `echo` says: the last user text, or (`request`; `body` is the same) the JSON of `{ path, headers, body }` as it arrived',
  },
  calls: count('how many tools `tools` calls in one answer'),
}

type OptionTable = typeof optionTable
type OptionName = keyof OptionTable
export type Options = { readonly [Name in OptionName]?: Exclude<Read<Name>, undefined> }
type Read<Name extends OptionName> = ReturnType<OptionTable[Name]['read']>

/** Splits `lorem;sim:length=5,tps=10` into the name of the model and what hangs on it. */
export function splitModel(model: string): { readonly name: string; readonly suffix: string } {
  const at = model.indexOf(';sim:')
  if (at === -1) return { name: model, suffix: '' }
  return { name: model.slice(0, at), suffix: model.slice(at + ';sim:'.length) }
}

/** The options of a request: those on the model's name, and over them the `x-sim-…` headers. */
export function readOptions(
  suffix: string,
  headers: { readonly [name: string]: string | readonly string[] | undefined },
): Options {
  const options: { [name: string]: unknown } = {}
  for (const pair of suffix.split(',').filter((part) => part !== '')) {
    const [name = '', ...rest] = pair.split('=')
    options[name.trim()] = readOption(name.trim(), rest.join('=').trim())
  }
  for (const [header, value] of Object.entries(headers)) {
    if (!header.startsWith('x-sim-') || value === undefined) continue
    const name = header.slice('x-sim-'.length)
    options[name] = readOption(name, String(value))
  }
  return options
}

function readOption(name: string, value: string): unknown {
  if (!Object.hasOwn(optionTable, name)) {
    const known = Object.keys(optionTable).join(', ')
    throw refused(`The simulator has no option "${name}". Its options are: ${known}.`)
  }
  const option: Option<unknown> = optionTable[name as OptionName]
  const parsed = option.read(value)
  if (parsed === undefined) {
    throw refused(`"${value}" is not a value of the option "${name}" (${option.values}).`)
  }
  return parsed
}

// A test that misspells an option should hear of it, not pass for the wrong reason.
function refused(message: string): RequestRefused {
  return new RequestRefused({ status: 400, message })
}

function count(about: string): Option<number> {
  return { values: 'a number', about, read: (text) => readCount(text) }
}

function flag(about: string): Option<boolean> {
  const values = new Map([
    ['1', true],
    ['true', true],
    ['0', false],
    ['false', false],
  ])
  return { values: '`1`, `0`', about, read: (text) => values.get(text) }
}

function text(values: string, about: string): Option<string> {
  return { values, about, read: (value) => (value === '' ? undefined : value) }
}

function words<const Word extends string>(known: readonly Word[]) {
  return {
    values: known.map((word) => `\`${word}\``).join(', '),
    read: (value: string) => readWord(value, known),
  }
}

function readWord<const Word extends string>(
  text: string,
  known: readonly Word[],
): Word | undefined {
  return known.find((word) => word === text)
}

function readCount(text: string, from = 0, to = 2 ** 32 - 1): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined
  const number = Number(text)
  return number >= from && number <= to ? number : undefined
}
