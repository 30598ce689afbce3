/**
 * Values assigned to secret-like names: `API_KEY=…`, `"password": "…"`. A name counts by whole segments, so `keyboard`
 * and `tokens_in` do not. Code that merely names things (types, calls, member paths) keeps its text.
 */
import type { Span } from './redact-patterns.ts'

const SECRET_SEGMENTS: ReadonlySet<string> = new Set([
  'api',
  'apikey',
  'secret',
  'secrets',
  'token',
  'key',
  'password',
  'passwd',
  'pwd',
  'credential',
  'credentials',
  'passphrase',
])
const SHORT_ENDINGS: ReadonlySet<string> = new Set(['key', 'apikey', 'token', 'secret', 'password', 'passwd'])
const PASSWORDS: ReadonlySet<string> = new Set(['password', 'passwd', 'pwd', 'passphrase'])
/** A name that ends like this holds something about a secret, not one. */
const HARMLESS_ENDINGS: ReadonlySet<string> = new Set([
  'url',
  'uri',
  'path',
  'file',
  'dir',
  'name',
  'id',
  'ids',
  'type',
  'count',
  'limit',
  'size',
  'length',
  'len',
  'ttl',
  'expiry',
  'expires',
  'in',
  'out',
  'endpoint',
  'header',
  'prefix',
  'suffix',
  'version',
  'regex',
  'pattern',
  'field',
  'param',
  'class',
  'format',
  'algorithm',
  'title',
  'label',
  'hash',
  'base',
  'host',
  'port',
  'docs',
  'group',
  'error',
  'message',
  'env',
  'var',
  'code',
  'codes',
  'map',
  'index',
  'usage',
  'budget',
  'max',
  'min',
])
const PLAIN_KEYS: ReadonlySet<string> = new Set([
  'primary',
  'foreign',
  'sort',
  'partition',
  'cache',
  'public',
  'row',
  'map',
  'object',
  'group',
  'unique',
  'query',
  'i18n',
])
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
  'uuid',
])
const MAX_NAME = 80
/** How much of a value is looked at to judge it. */
const MAX_JUDGED = 512

export function assignmentSpans(text: string): Span[] {
  const spans: Span[] = []
  const separators = /[:=]/g
  // Where the current run without white space ends: looked for once per run, to stay linear.
  let runEnd = 0
  for (let match = separators.exec(text); match !== null; match = separators.exec(text)) {
    const name = nameBefore(text, match.index)
    if (name === null || !isSecretName(name)) continue
    const value = valueAfter(text, match.index, runEnd)
    if (value === null) continue
    if (!value.isQuoted) runEnd = value.to
    separators.lastIndex = Math.max(separators.lastIndex, value.to)
    if (isSecretValue(name, value)) spans.push({ from: value.from, to: value.to, label: 'ENV_SECRET' })
    // A value left alone may hold an assignment of its own.
    else if (!value.isQuoted) separators.lastIndex = value.from
  }
  return spans
}

/** True for a name with a secret-like segment that is not a counter, a place or a kind of secret. */
export function isSecretName(name: string): boolean {
  const parts = segments(name)
  return parts.some((part) => SECRET_SEGMENTS.has(part)) && !HARMLESS_ENDINGS.has(parts.at(-1) ?? '')
}

/** Split at `_ - .` and where camel case steps up. */
export function segments(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
    .split(/[_\-. ]+/)
    .filter((part) => part !== '')
}

interface Value {
  readonly from: number
  readonly to: number
  readonly text: string
  readonly isQuoted: boolean
  /** Blanks around the separator: code rather than a shell's or a dotenv's line. */
  readonly isSpaced: boolean
}

function nameBefore(text: string, at: number): string | null {
  let end = at
  while (end > 0 && at - end < 8 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--
  if (text[end - 1] === '?' || text[end - 1] === '!') end--
  if (text[end - 1] === '"' || text[end - 1] === "'" || text[end - 1] === '`' || text[end - 1] === ']') end--
  if (text[end - 1] === '"' || text[end - 1] === "'") end--
  let from = end
  while (from > 0 && end - from < MAX_NAME && isNameChar(text.charCodeAt(from - 1))) from--
  return from === end ? null : text.slice(from, end)
}

function valueAfter(text: string, separator: number, runEnd: number): Value | null {
  let from = separator + 1
  while (text[from] === '=' || text[from] === '>') from++
  const start = from
  while (from - start < 8 && (text[from] === ' ' || text[from] === '\t')) from++
  const isSpaced = from > start || text[separator - 1] === ' '
  const prefix = /^(?:[rbuf]{1,2})?(["'`])/i.exec(text.slice(from, from + 3))
  if (prefix) {
    const open = from + prefix[0].length
    const to = closingQuote(text, open, prefix[1] ?? '"')
    return { from: open, to, text: text.slice(open, to), isQuoted: true, isSpaced }
  }
  let to = Math.max(from, runEnd)
  while (to < text.length && !isValueEnd(text.charCodeAt(to))) to++
  return to === from ? null : { from, to, text: text.slice(from, to), isQuoted: false, isSpaced }
}

function closingQuote(text: string, from: number, quote: string): number {
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === '\\') at++
    else if (char === quote || char === '\n') return at
  }
  return text.length
}

function isSecretValue(name: string, value: Value): boolean {
  const text = value.text.slice(0, MAX_JUDGED)
  if (text === '' || isTemplate(text) || text.includes('[REDACTED') || /^[\d.,_+-]+$/.test(text)) return false
  const parts = segments(name)
  const last = parts.at(-1) ?? ''
  const isPassword = PASSWORDS.has(last)
  const needed = isPassword ? 1 : SHORT_ENDINGS.has(last) ? 8 : 12
  if (text.length < needed || /^sha(?:1|256|384|512)[-:]/.test(text)) return false
  if (!value.isQuoted && isCode(value, isPassword)) return false
  if (value.isQuoted && /\s/.test(text) && !isPassword) return false
  // A bare `key`, or a table's or cache's, is more often a field's name than a secret: ask for the look of one.
  const isPlainKey = last === 'key' && (parts.length === 1 || PLAIN_KEYS.has(parts.at(-2) ?? ''))
  return isPlainKey ? looksRandom(text) : true
}

function isTemplate(text: string): boolean {
  return /^(?:\$|\{\{|<[A-Za-z]|%[({]|#\{|\*+$|x{3,}$|\.\.\.)/i.test(text)
}

function isCode(value: Value, isPassword: boolean): boolean {
  const { isSpaced } = value
  const text = value.text.slice(0, MAX_JUDGED)
  if (/[({[]|=>|\)$/.test(text) || text.startsWith('&') || text.startsWith('*')) return true
  if (TYPE_WORDS.has(text.toLowerCase().replace(/[|?)\]}]+$/, ''))) return true
  if (/^[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$][\w$]*)+[)\]}]*$/.test(text) && (isSpaced || /^(?:process|os|env|self|this|config|import|settings)\b/.test(text)))
    return true
  // `token: CancellationToken`, `key = itemKey`: letters alone name something.
  return isSpaced && !isPassword && /^[A-Za-z_$]+[)\]}|?]*$/.test(text)
}

function looksRandom(text: string): boolean {
  return text.length >= 16 && /\d/.test(text) && /[A-Za-z]/.test(text) && !/[\s/]/.test(text) && !/^[a-z]+(?:[-_.][a-z0-9]+)*$/.test(text)
}

function isNameChar(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95 || code === 45 || code === 46
}

function isValueEnd(code: number): boolean {
  // White space, quotes, comma, semicolon: what follows is another value.
  return code <= 32 || code === 34 || code === 39 || code === 96 || code === 44 || code === 59
}
