/**
 * Canonical JSON (RFC 8785 for the values we write: sorted keys, no undefined, finite numbers) and SHA-256.
 * Equal values give equal bytes on every machine and locale: hashes, recordings and prompts depend on it.
 */
import { nodeCrypto } from './node-crypto.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Throws TypeError on NaN, Infinity, functions and bigint; drops undefined members as JSON.stringify does. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('a number outside JSON')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item === undefined ? null : item)).join(',')}]`
  if (typeof value === 'object') {
    const members = Object.entries(value as Record<string, unknown>)
      .filter(([, member]) => member !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
  }
  throw new TypeError(`a ${typeof value} outside JSON`)
}

/** Lower-case hex SHA-256. */
export function sha256(bytes: string | Uint8Array): string {
  return nodeCrypto().createHash('sha256').update(bytes).digest('hex')
}
