/**
 * Values assigned to secret-like names: `API_KEY=…`, `"password": "…"`. Which names those are is in `redact-names.ts`.
 * Code that merely names things (types, calls, member paths) keeps its text; a line of a shell or a dotenv has no code.
 */
import {
  isDistinct,
  isHighEntropy,
  isPassName,
  isPasswordName,
  isNameOfKey,
  isOfInterest,
  isPhraseName,
  isPlainKey,
  isPublicKey,
  isSecretName,
  looksRandom,
  neededChars,
} from './redact-names.ts'
import type { Span } from './redact-patterns.ts'

const TYPE_WORDS: ReadonlySet<string> = new Set([
  'string',
  'number',
  'boolean',
  'null',
  'undefined',
  'true',
  'false',
  'none',
  'any',
  'unknown',
  'str',
  'int',
  'bytes',
  'optional',
  'required',
  'self',
  'this',
  'char',
  'text',
  'varchar',
  'nil',
  'never',
  'void',
  'object',
  'buffer',
  'yes',
  'no',
  'secretstr',
  'impl',
  'dyn',
  'uuid',
])
const MAX_NAME = 80
const MAX_ESCAPES = 8
/** How much of a value is looked at to judge it. */
const MAX_JUDGED = 200

/** `masked`: what is masked for other reasons. */
export function assignmentSpans(text: string, masked: readonly Span[] = []): Span[] {
  const spans: Span[] = []
  const separators = /[:=]/g
  // Where the current run without white space ends: looked for once per run, to stay linear.
  let runEnd = 0
  // Likewise the current list, whose members may have separators of their own.
  let listEnd = 0
  // Where the last mask before a separator ends: a name in it will be gone with it, so what such a name leaves alone is judged without it.
  let maskedEnd = 0
  const ends = masked.map(({ to }) => to).toSorted((a, b) => a - b)
  let passed = 0
  for (let match = separators.exec(text); match !== null; match = separators.exec(text)) {
    if (text[match.index - 1] === match[0]) continue
    if (match[0] === ':' && text[match.index + 1] === ':') continue // a path, as `Token::Kind`
    for (; (ends[passed] ?? Infinity) <= match.index; passed++) maskedEnd = Math.max(maskedEnd, ends[passed] ?? 0)
    const own = nameBefore(text, match.index, maskedEnd)
    const whole = nameBefore(text, match.index, 0)
    const byWhole = whole !== null && whole !== own && isOfInterest(whole) ? valueAfter(text, match.index, whole, runEnd) : null
    const wholeLabel = whole === null || byWhole === null ? null : labelOfValue(whole, byWhole)
    if (byWhole !== null && wholeLabel !== null) {
      spans.push({ from: byWhole.from, to: byWhole.to, label: wholeLabel })
      maskedEnd = byWhole.to
      separators.lastIndex = Math.max(separators.lastIndex, byWhole.to)
      continue
    }
    const name = [own, declaredBefore(text, match.index)].find((one) => one !== null && isOfInterest(one))
    if (name === undefined || name === null) continue
    if (match.index >= listEnd) {
      const list = listSpans(text, match.index, name)
      spans.push(...list.spans)
      listEnd = list.end
    }
    const value = valueAfter(text, match.index, name, runEnd)
    // `passphrase?: BinaryLike` is a type.
    if (value === null || (!value.isQuoted && text[match.index - 1] === '?')) continue
    if (!value.isQuoted && !value.isEnvLine) runEnd = value.to
    separators.lastIndex = Math.max(separators.lastIndex, value.to)
    const label = labelOfValue(name, value)
    if (label !== null) {
      spans.push({ from: value.from, to: value.to, label })
      maskedEnd = value.to
    }
    // A value left alone may hold an assignment of its own.
    else if (!value.isQuoted) separators.lastIndex = value.from
  }
  return spans
}

interface Value {
  readonly from: number
  readonly to: number
  readonly text: string
  readonly isQuoted: boolean
  /** Blanks around the separator: code rather than a shell's or a dotenv's line. */
  readonly isSpaced: boolean
  /** `NAME=value` as a shell or a dotenv has it: no code. */
  readonly isEnvLine: boolean
}

/** What stands between a name and its value in typed languages: `: &'static str`, ` string`, ` { get; }`. */
const DECLARED =
  /(?<![\w$.-])([A-Za-z_$][\w$]{1,79})\??(?:\s{0,4}:\s{0,4}|\s{1,4})(?:(?:&(?:'\w{1,20}\s)?(?:mut\s)?)?(?:(?:std::|java\.lang\.)?string|str|(?:Optional|Final)\[str\]|Final|bytes|SecretStr)\??(?:\s?\|\s?(?:None|null|undefined))?|\{\s?get;[^{}\n]{0,40}\})\s{0,4}$/i

/** The name that a declaration with a type gives a value to; only before `=` and a quote. */
function declaredBefore(text: string, at: number): string | null {
  if (text[at] !== '=' || !/^=[ \t]{0,4}(?:\w{1,2})?\\{0,8}["'`]/.test(text.slice(at, at + 16))) return null
  return DECLARED.exec(text.slice(Math.max(0, at - 160), at))?.[1] ?? null
}

const MAX_LIST = 4000

/** `"secrets": ["…", "…"]`: those of a list that look made up. */
function listSpans(text: string, separator: number, name: string): { spans: Span[]; end: number } {
  const open = /^[:=][ \t]{0,8}\[/.exec(text.slice(separator, separator + 12))
  if (!open) return { spans: [], end: 0 }
  const from = separator + open[0].length
  const end = text.slice(from, from + MAX_LIST).indexOf(']')
  const list = text.slice(from, end < 0 ? from + MAX_LIST : from + end)
  const spans = [...list.matchAll(/["']([^"'\s\\]{8,512})/g)].flatMap((match): Span[] => {
    const [, value = ''] = match
    const at = from + match.index + 1
    return looksRandom(value) || isHighEntropy(value) ? [{ from: at, to: at + value.length, label: isSecretName(name) ? 'ENV_SECRET' : 'ENTROPY' }] : []
  })
  return { spans, end: from + list.length }
}

/** The name right before `at`, of which nothing lies before `floor`. */
function nameBefore(text: string, at: number, floor: number): string | null {
  let end = at
  while (end > 0 && at - end < 8 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--
  if (text[end - 1] === '?' || text[end - 1] === '!') end--
  if (text[end - 1] === '"' || text[end - 1] === "'" || text[end - 1] === '`' || text[end - 1] === ']') end--
  if (text[end - 1] === '"' || text[end - 1] === "'") end--
  // JSON in a string of JSON.
  for (let depth = 0; depth < MAX_ESCAPES && text[end - 1] === '\\'; depth++) end--
  let from = end
  while (from > floor && end - from < MAX_NAME && isNameChar(text.charCodeAt(from - 1))) from--
  // The letter of an escape, as in `\npassword=` within JSON, is not the name's.
  if (text[from - 1] === '\\' && /[nrt]/.test(text[from] ?? '')) from++
  // The label of a placeholder is nobody's name: what follows was judged when the placeholder was made.
  if (text[end] === ']' && text.slice(Math.max(0, from - 10), from).endsWith('[REDACTED:')) return null
  return from >= end ? null : text.slice(from, end)
}

function valueAfter(text: string, separator: number, name: string, runEnd: number): Value | null {
  let from = separator + 1
  while (text[from] === '=' || text[from] === '>') from++
  const start = from
  while (from - start < 8 && (text[from] === ' ' || text[from] === '\t')) from++
  const isSpaced = from > start || text[separator - 1] === ' '
  const isEnvLine = !isSpaced && text[separator] === '=' && isEnvName(text, separator, name)
  const block = blockStart(text, from)
  if (block !== null) {
    const to = blockEnd(text, block)
    // Judged as one: a key over several lines has no blank in it.
    return { from: block, to, text: text.slice(block, to).replace(/\r?\n[ \t]*/g, ''), isQuoted: true, isSpaced, isEnvLine }
  }
  const prefix = /^(?:[rbuf]{1,2})?(\\{0,8}["'`])/i.exec(text.slice(from, from + 12))
  if (prefix && closesName(text, separator, name, prefix[1] ?? '')) {
    from += prefix[0].length
    if (!isNameChar(text.charCodeAt(from))) return null
  } else if (prefix) {
    const open = from + prefix[0].length
    const to = closingQuote(text, open, prefix[1] ?? '"')
    return { from: open, to, text: text.slice(open, to), isQuoted: true, isSpaced, isEnvLine }
  }
  const isQuery = isQueryStart(text, separator, name)
  const isYaml = isSpaced && text[separator] === ':' && isLineStart(text, separator - name.length)
  let to = isEnvLine || isQuery || isYaml ? from : Math.max(from, runEnd)
  const isEnd = isEnvLine || isYaml ? isBlank : isQuery ? isQueryEnd : isValueEnd
  while (to < text.length && !isEnd(text.charCodeAt(to)) && !isEscape(text, to)) to++
  if (isYaml) to = withoutSigns(text, from, to)
  else if (!isEnvLine) to = withoutClosers(text, from, to)
  return to === from ? null : { from, to, text: text.slice(from, to), isQuoted: false, isSpaced, isEnvLine }
}

/** `"password=" + word`, `input("Password: ")`: the quote behind the separator is the end of the text that the name begins. */
function closesName(text: string, separator: number, name: string, quote: string): boolean {
  if (!isNameChar(text.charCodeAt(separator - 1))) return false
  const start = separator - name.length
  if (text.startsWith(quote, start - quote.length)) return true
  if (quote !== '"') return false // an apostrophe opens nothing
  const line = text.slice(Math.max(0, start - MAX_JUDGED), start)
  return (line.slice(line.lastIndexOf('\n') + 1).match(/(?<!\\)"/g)?.length ?? 0) % 2 === 1
}

/** An upper-case name at the beginning of its line, or of a command that is given its environment. */
function isEnvName(text: string, separator: number, name: string): boolean {
  if (!/^[A-Z][A-Z0-9_]*$/.test(name)) return false
  const start = separator - name.length
  return /(?:^|\n)[ \t+>-]*(?:(?:export|set|ENV|ARG|-e|--env)[ \t]+)?$/.test(text.slice(Math.max(0, start - 24), start))
}

/** A member of its own line, as in YAML: only a blank ends its value. */
function isLineStart(text: string, at: number): boolean {
  return /(?:^|\n)[ \t+>-]*$/.test(text.slice(Math.max(0, at - 40), at))
}

function isQueryStart(text: string, separator: number, name: string): boolean {
  const before = text[separator - name.length - 1]
  return before === '?' || before === '&'
}

/** YAML's `|` and `>`: the value begins on the next line. */
function blockStart(text: string, at: number): number | null {
  if (text[at] !== '|' && text[at] !== '>') return null
  const head = /^[|>][+-]?\d?[ \t]{0,8}\r?\n[ \t]{1,40}/.exec(text.slice(at, at + 64))
  return head ? at + head[0].length : null
}

/** Behind the last line that is indented as its first one is. */
function blockEnd(text: string, from: number): number {
  const indent = text.slice(text.lastIndexOf('\n', from - 1) + 1, from)
  let end = lineEnd(text, from)
  while (text.startsWith(indent, end + 1) && end + 1 < text.length) end = lineEnd(text, end + 1)
  return text[end - 1] === '\r' ? end - 1 : end
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end
}

/** `quote` may be an escaped one, as in JSON within JSON: then the one with as many backslashes ends the value. */
function closingQuote(text: string, from: number, quote: string): number {
  const sign = quote.at(-1) ?? '"'
  const depth = quote.length - 1
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\n') return at
    if (text[at] === sign) return at
    if (text[at] !== '\\') continue
    const start = at
    while (text[at + 1] === '\\') at++
    const count = at + 1 - start
    if (text[at + 1] !== sign) {
      if (count % 2 === 1) at++
      continue
    }
    if (depth === 0 ? count % 2 === 0 : count <= depth) return depth === 0 ? at + 1 : start
    at++
  }
  return text.length
}

/** What the name says of the value, or null. */
export function labelOfValue(name: string, value: Pick<Value, 'text' | 'isQuoted' | 'isSpaced' | 'isEnvLine'>): string | null {
  const text = value.text.slice(0, MAX_JUDGED)
  if (text === '' || (isTemplate(text) && !isTelling(name, text)) || text.includes('[REDACTED') || /^[\d.,_+-]+$/.test(text)) return null
  if (isPassName(name)) return isDistinct(text) && /\d|[^\w.-]/.test(text) && (value.isQuoted || !isCode(value, true)) ? 'ENV_SECRET' : null
  if (!isSecretName(name)) return isHighEntropy(text) ? 'ENTROPY' : null
  if (isPublicKey(name) || isNameOfKey(name, text)) return null
  const isPassword = isPasswordName(name)
  if (text.length < neededChars(name) || /^sha(?:1|256|384|512)[-:]/.test(text)) return null
  if (!value.isQuoted && (isCode(value, isPassword) || (value.isSpaced && text === name))) return null
  if (value.isQuoted && /\s/.test(text) && !isPassword && !isPhraseName(name) && !value.isEnvLine) return null
  // The shell's own PWD.
  if (isPassword && /(?:^|_)PWD$/i.test(name) && /^[/~.]/.test(text)) return null
  return isPlainKey(name) && !looksRandom(text) && !isHighEntropy(text) ? null : 'ENV_SECRET'
}

/** An address with something made up in it, and a password that only begins like a variable. */
function isTelling(name: string, text: string): boolean {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return [...text.matchAll(/[A-Za-z0-9_-]{20,}/g)].some(([part]) => isHighEntropy(part))
  return isPasswordName(name) && /^\$[a-z]+[A-Z][a-z]*\d\w*$/.test(text)
}

function isTemplate(text: string): boolean {
  return /^(?:…|[a-z][a-z0-9+.-]*:\/\/|\$[{(]|\$[A-Za-z_]\w*$|\$[\d@*#?]$|\{\{|<\/?[A-Za-z]|%[({]|%\w+%$|%(?:\d\$)?[sdiuvqxf](?!\w)|#\{|\*+$|x{3,}$|\.\.\.)/i.test(
    text,
  )
}

function isCode(value: Pick<Value, 'text' | 'isSpaced' | 'isEnvLine'>, isPassword: boolean): boolean {
  const { isSpaced } = value
  const text = value.text.slice(0, MAX_JUDGED)
  if (value.isEnvLine) return /^(?:[A-Za-z_][\w.]*)?[([]|^(?:process|os|env)\./.test(text)
  if (/[({[]|=>|\)$/.test(text) || text.startsWith('&') || text.startsWith('*')) return true
  if (TYPE_WORDS.has(text.toLowerCase().replace(/[|?)\]}:>!]+$/, ''))) return true
  if (
    /^[A-Za-z_$][\w$]*(?:(?:\??\.|::)[A-Za-z_$][\w$]*)+!?[)\]}]*$/.test(text) &&
    (isSpaced || /^(?:process|os|env|self|this|config|import|settings)\b/.test(text))
  )
    return true
  // `password: Vec<u8>`, `password: :string`
  if (isSpaced && /^(?:[A-Z][A-Za-z]*<[\w&' :<]*>*[)\]}]*|:[a-z_]+)$/.test(text)) return true
  // `token: CancellationToken`, `key = itemKey`: letters alone name something.
  return isSpaced && !isPassword && /^[A-Za-z_$]+(?:<[\w$<>.,|[\]]*)?[)\]}|?:>]*$/.test(text)
}

function isNameChar(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95 || code === 45 || code === 46
}

function withoutSigns(text: string, from: number, to: number): number {
  let end = to
  while (end > from && /[,;'"`]/.test(text[end - 1] ?? '')) end--
  return end
}

/** `{"pin":1234}`: what closes something that a number did not open is not its own. */
function withoutClosers(text: string, from: number, to: number): number {
  const number = /^[\d.,_+-]+(?=[)}\]]+$)/.exec(text.slice(from, Math.min(to, from + MAX_JUDGED)))
  return number ? from + number[0].length : to
}

/** A line's end as JSON writes it. */
function isEscape(text: string, at: number): boolean {
  return text.charCodeAt(at) === 92 && /[nrt]/.test(text[at + 1] ?? '')
}

function isBlank(code: number): boolean {
  return code <= 32
}

/** Of a parameter in an address. */
function isQueryEnd(code: number): boolean {
  return code === 38 || code === 35 || isValueEnd(code)
}

function isValueEnd(code: number): boolean {
  // White space, quotes, comma, semicolon: what follows is another value.
  return code <= 32 || code === 34 || code === 39 || code === 96 || code === 44 || code === 59
}
