/**
 * Which names say that a value is secret. A name counts by whole segments, so `keyboard` and `tokens_in` do not; one that
 * ends in a place, a kind or a counter names something about a secret, not one. Also: what looks random.
 */
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
  'template',
  'policy',
  'placeholder',
  'settings',
  'required',
  'enabled',
  'hint',
  'manager',
  'provider',
  'service',
  'rules',
  'strength',
  'validator',
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
  'data',
])
/** Names near secrets: only what looks random is one. */
const WEAK_SEGMENTS: ReadonlySet<string> = new Set([
  'auth',
  'authorization',
  'authentication',
  'bearer',
  'session',
  'sessionid',
  'cookie',
  'csrf',
  'xsrf',
  'signing',
  'signature',
  'hmac',
  'encryption',
  'cipher',
  'salt',
  'seed',
  'otp',
  'totp',
  'webhook',
  'private',
  'license',
  // Plurals are counted and listed more often than written out.
  'tokens',
  'passwords',
  'keys',
  'apikeys',
])
const MAX_ENTROPY_CHARS = 256
const MIN_ENTROPY_CHARS = 20
const MIN_BITS = 3.3

/** True for a name with a secret-like segment that is not a counter, a place or a kind of secret. */
export function isSecretName(name: string): boolean {
  const parts = segments(name)
  return parts.some((part) => SECRET_SEGMENTS.has(part)) && (!HARMLESS_ENDINGS.has(parts.at(-1) ?? '') || isKeyBase(parts))
}

/** `secret_key_base`: what a Rails application derives all of its keys from. */
function isKeyBase(parts: readonly string[]): boolean {
  return parts.at(-1) === 'base' && parts.at(-2) === 'key' && parts.at(-3) === 'secret'
}

/** True for a name that is no secret's own, but stands near them: `auth`, `session`, `salt`. */
function isWeakName(name: string): boolean {
  const parts = segments(name)
  return parts.some((part) => WEAK_SEGMENTS.has(part)) && !HARMLESS_ENDINGS.has(parts.at(-1) ?? '')
}

export function isPasswordName(name: string): boolean {
  return PASSWORDS.has(segments(name).at(-1) ?? '')
}

/** A name whose value is looked at. */
export function isOfInterest(name: string): boolean {
  return isSecretName(name) || isPassName(name) || isWeakName(name)
}

/** `DB_PASS`: a password, though the word has other uses; then the value has to be no plain word. */
export function isPassName(name: string): boolean {
  const parts = segments(name)
  return parts.length > 1 && parts.at(-1) === 'pass'
}

/** How short a value of this name may be. */
export function neededChars(name: string): number {
  const last = segments(name).at(-1) ?? ''
  return PASSWORDS.has(last) ? 1 : SHORT_ENDINGS.has(last) ? 8 : 12
}

/** A bare `key`, or a table's or cache's: more often a field's name than a secret. */
export function isPlainKey(name: string): boolean {
  const parts = segments(name)
  return parts.at(-1) === 'key' && (parts.length === 1 || PLAIN_KEYS.has(parts.at(-2) ?? ''))
}

/** What anybody may have. */
export function isPublicKey(name: string): boolean {
  const parts = segments(name)
  return parts.at(-1) === 'key' && parts.at(-2) === 'public'
}

/** `TOKEN_KEY = "access_token_key"`: under what name something is kept. */
export function isNameOfKey(name: string, value: string): boolean {
  return segments(name).at(-1) === 'key' && isWordy(value) && /(?:^|[-_.:])(?:key|token|id)(?:$|[-_.:])/i.test(value)
}

/** Names of what people make of words. */
export function isPhraseName(name: string): boolean {
  return ['secret', 'passphrase'].includes(segments(name).at(-1) ?? '')
}

/** `pgpassword`, `authtoken`: what stands at the end of a word that has no signs. */
const GLUED =
  /(password|passwd|passphrase|apikey|(?<=client|app|api|shared|user|auth)secret|(?<=auth|access|refresh|bearer|api|bot|csrf|session)token|(?<=secret|private|access|api|auth|signing|encryption|master|deploy)key)$/

/** Names come again and again; each is taken apart once. */
const seen = new Map<string, readonly string[]>()
const MAX_SEEN = 1000

/** Split at `_ - .`, where camel case steps up, and before a word for a secret that others are glued to. */
export function segments(name: string): readonly string[] {
  const known = seen.get(name)
  if (known !== undefined) return known
  if (seen.size >= MAX_SEEN) seen.clear()
  const found = split(name)
  seen.set(name, found)
  return found
}

function split(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
    .split(/[_\-. ]+/)
    .flatMap((part) => part.replace(GLUED, '_$1').split('_'))
    .filter((part) => part !== '')
}

/** The look of a made-up secret: letters and digits, no path, no words joined by dashes. */
export function looksRandom(text: string): boolean {
  return text.length >= 16 && /\d/.test(text) && /[A-Za-z]/.test(text) && !/[\s/]/.test(text) && !/^[a-z]+(?:[-_.][a-z0-9]+)*$/.test(text) && !isWordy(text)
}

/** `tab1-settings-panel2`, `user:123:profile`: words and counts that signs join. */
function isWordy(text: string): boolean {
  const parts = text.slice(0, MAX_ENTROPY_CHARS).split(/[-_.:/]/)
  return parts.length > 1 && parts.every((part) => /^(?:[A-Za-z]{1,15}\d{0,2}|\d{1,6}|v\d\w{0,4})$/.test(part))
}

/** No word, number, path or address: it can be looked for anywhere without taking plain text with it. */
export function isDistinct(value: string): boolean {
  return value.length >= 6 && !/^(?:[A-Za-z]{1,15}|[\d.,:_-]+|(?:[./~]|[A-Za-z][A-Za-z0-9+.-]*:\/\/|\[REDACTED).*)$/s.test(value)
}

/** Random by its letters' frequencies too: what counts as a secret next to a weak name. Dates, versions and ids in UUID form are not. */
export function isHighEntropy(text: string): boolean {
  if (text.length < MIN_ENTROPY_CHARS || /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text) || /^\d{4}-\d\d-\d\d/.test(text)) return false
  if (
    !/^[A-Za-z0-9+/=_.~-]+$/.test(text) ||
    !/\d/.test(text) ||
    !/[A-Za-z]/.test(text) ||
    /^(?:sha\d{1,3}[-:]|[a-z]+(?:[-_./][a-z0-9]+)*$)/.test(text) ||
    isWordy(text)
  )
    return false
  return bitsPerChar(text.slice(0, MAX_ENTROPY_CHARS)) >= MIN_BITS
}

function bitsPerChar(text: string): number {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}
