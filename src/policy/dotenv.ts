/**
 * Names and values of a dotenv-like file: `export`, quotes, comments, values over several lines in double quotes. Lenient:
 * a line that is none is passed over. Also which of its values, and of a process's environment, are secret. Pure.
 */
import { isDistinct, isHighEntropy, isSecretName } from './redact-names.ts'
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
    if (!isDistinct(value)) return false
    return isSecretName(label) || isHighEntropy(value) || patternSpans(value).some(({ from, to }) => to - from === value.length)
  })
}

/** Of an environment: whatever is named like a secret and long enough to be one. */
export function environmentSecrets(env: Readonly<Record<string, string | undefined>>): KnownSecret[] {
  return Object.entries(env).flatMap(([label, value]) =>
    value !== undefined && value.length >= 8 && /(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|PASSPHRASE|PAT)S?$/i.test(label) ? [{ label, value }] : [],
  )
}
