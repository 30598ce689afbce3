/**
 * Where the kinds of `redact-kinds.ts` stand in a text, and private keys. Linear in the text: a pattern is tried only
 * where its hint is there. The name-and-value rule needs a scanner and is in `redact-assignments.ts`.
 */
import { KINDS } from './redact-kinds.ts'
import { privateKeySpans } from './redact-private-keys.ts'

/** `from` and `to` are offsets of the secret itself; names around it stay. */
export interface Span {
  readonly from: number
  readonly to: number
  readonly label: string
}

/** Below it a search costs less than the walk. */
const SHORT = 256

/** All spans of the patterns, in the order of the table: of two that overlap the earlier listed counts. */
export function patternSpans(text: string): Span[] {
  const spans: Span[] = privateKeySpans(text)
  const pairs = text.length < SHORT ? null : letterPairs(text)
  let lower: string | null = null
  const has = (hint: string): boolean => (pairs === null || mayHold(pairs, hint)) && (lower ??= text.toLowerCase()).includes(hint)
  for (const { label, hint, regex, isSecret } of KINDS) {
    if (!(typeof hint === 'string' ? has(hint) : hint.some(has))) continue
    for (const match of text.matchAll(regex)) {
      const secret = match[1] ?? match[0]
      if (secret.startsWith('[REDACTED') || (isSecret !== undefined && !isSecret(secret))) continue
      const from = match[1] === undefined ? match.index : match.index + match[0].lastIndexOf(secret)
      spans.push({ from, to: from + secret.length, label })
    }
  }
  return spans
}

/** Which two letters stand beside each other somewhere: one walk, after which most hints need no search. */
function letterPairs(text: string): Uint8Array {
  const pairs = new Uint8Array(128 * 128)
  let before = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const letter = code >= 65 && code <= 90 ? code + 32 : code & 127
    pairs[before * 128 + letter] = 1
    before = letter
  }
  return pairs
}

function mayHold(pairs: Uint8Array, hint: string): boolean {
  for (let at = 1; at < hint.length; at++) if (pairs[hint.charCodeAt(at - 1) * 128 + hint.charCodeAt(at)] === 0) return false
  return true
}
