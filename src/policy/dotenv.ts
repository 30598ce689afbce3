/**
 * Names and values of a dotenv-like file: `export`, quotes, comments, values over several lines in double quotes. Lenient:
 * a line that is none is passed over. Also which of its values are secret by their own look. Pure.
 */
import { isHighEntropy, isSecretName } from './redact-names.ts'
import type { KnownSecret } from './redact-known.ts'
import { patternSpans } from './redact-patterns.ts'

const ENTRY = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]{0,127})[ \t]*[=:][ \t]*(?:"((?:[^"\\]|\\[\s\S])*)"|'([^']*)'|`([^`]*)`|([^\r\n]*))/gm

export function dotenvEntries(text: string): KnownSecret[] {
  return [...text.matchAll(ENTRY)].flatMap(([, label = '', double, single, back, bare]) => {
    const value = double?.replace(/\\n/g, '\n').replace(/\\(.)/g, '$1') ?? single ?? back ?? bare?.replace(/[ \t]+#.*$/, '').trim() ?? ''
    return value === '' ? [] : [{ label, value }]
  })
}

/**
 * Those whose values are masked wherever they stand. Words, numbers, paths and addresses are not: `postgres` as a
 * password must not take `postgres` out of everything a model reads.
 */
export function secretEntries(entries: readonly KnownSecret[]): KnownSecret[] {
  return entries.filter(({ label, value }) => {
    if (value.length < 6 || /^(?:[a-z]+|[A-Z]+|[A-Z][a-z]+)$/.test(value) || /^[\d.,:_-]+$/.test(value) || /^(?:[./~]|[a-z][a-z0-9+.-]*:\/\/)/i.test(value))
      return false
    return isSecretName(label) || isHighEntropy(value) || patternSpans(value).some(({ from, to }) => to - from === value.length)
  })
}
