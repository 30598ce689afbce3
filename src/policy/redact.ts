/**
 * The one secrets filter: known values exactly, vendor patterns, secret-like names. Idempotent, linear in the text.
 * Never applied to files on disk. With `numbered` the same value keeps the same placeholder, and `restore` undoes it.
 */
import { assignmentSpans, segments } from './redact-assignments.ts'
import { patternSpans, type Span } from './redact-patterns.ts'

export interface KnownSecret {
  readonly label: string
  readonly value: string
}

export interface Hit {
  readonly label: string
  /** 1-based. */
  readonly line: number
}

export interface Redacted {
  readonly text: string
  readonly hits: readonly Hit[]
}

export interface RedactorOptions {
  readonly known?: readonly KnownSecret[]
  /** `[REDACTED:LABEL:n]`, the same value the same n for as long as this redactor lives. */
  readonly numbered?: boolean
}

export interface Redactor {
  (text: string): Redacted
  /** Placeholders that this redactor made, back to their values; others stay. */
  restore(text: string): string
}

const MIN_KNOWN_CHARS = 6
/** What stands where a secret was. */
export const PLACEHOLDER = /\[REDACTED(?::[A-Z0-9_]{1,64})?(?::\d{1,9})?\]/g

export function createRedactor(options: RedactorOptions = {}): Redactor {
  const known = (options.known ?? []).filter((secret) => secret.value.length >= MIN_KNOWN_CHARS).toSorted((a, b) => b.value.length - a.value.length)
  const numbers = new Map<string, string>()
  const values = new Map<string, string>()
  const counts = new Map<string, number>()
  const placeholder = (label: string, value: string): string => {
    if (options.numbered !== true) return `[REDACTED:${label}]`
    const key = `${label}\0${value}`
    const existing = numbers.get(key)
    if (existing !== undefined) return existing
    const count = (counts.get(label) ?? 0) + 1
    counts.set(label, count)
    const made = `[REDACTED:${label}:${count}]`
    numbers.set(key, made)
    values.set(made, value)
    return made
  }
  const redact = (text: string): Redacted => mask(text, secretSpans(text, known), placeholder)
  return Object.assign(redact, {
    restore: (text: string) => text.replace(PLACEHOLDER, (found) => values.get(found) ?? found),
  })
}

/** Where the secrets of a text stand, ascending, without overlap. For restoring placeholders in patches. */
export function secretSpans(text: string, known: readonly KnownSecret[] = []): Span[] {
  const taken: Span[] = []
  // Earlier listed kinds count first: exact values, then the table's order, then names.
  for (const span of [...knownSpans(text, known), ...patternSpans(text), ...assignmentSpans(text)]) taken.push(span)
  return withoutOverlap(taken, placeholders(text))
}

function knownSpans(text: string, known: readonly KnownSecret[]): Span[] {
  const spans: Span[] = []
  for (const { label, value } of known) {
    if (value.length < MIN_KNOWN_CHARS) continue
    for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + value.length)) {
      spans.push({ from: at, to: at + value.length, label })
    }
  }
  return spans
}

function placeholders(text: string): Span[] {
  return [...text.matchAll(PLACEHOLDER)].map((match) => ({
    from: match.index,
    to: match.index + match[0].length,
    label: '',
  }))
}

/**
 * Overlapping spans become one, labelled by the first listed, so that no part of either stays. Spans inside a
 * placeholder are dropped: that is what makes the filter idempotent.
 */
function withoutOverlap(spans: readonly Span[], masked: readonly Span[]): Span[] {
  const ordered = spans.map((span, rank) => ({ ...span, rank })).toSorted((a, b) => a.from - b.from || b.to - a.to)
  const merged: { from: number; to: number; label: string; rank: number }[] = []
  let at = 0
  for (const span of ordered) {
    while (at < masked.length && (masked[at]?.to ?? 0) <= span.from) at++
    const inside = masked[at]
    if (inside !== undefined && inside.from <= span.from && span.to <= inside.to) continue
    const last = merged.at(-1)
    if (last === undefined || span.from >= last.to) {
      merged.push(span)
      continue
    }
    last.to = Math.max(last.to, span.to)
    if (span.rank < last.rank) [last.label, last.rank] = [span.label, span.rank]
  }
  return merged
}

function mask(text: string, spans: readonly Span[], placeholder: (label: string, value: string) => string): Redacted {
  if (spans.length === 0) return { text, hits: [] }
  const parts: string[] = []
  const hits: Hit[] = []
  let [cursor, line] = [0, 1]
  for (const { from, to, label } of spans) {
    const before = text.slice(cursor, from)
    line += countLines(before)
    hits.push({ label, line })
    const secret = text.slice(from, to)
    parts.push(before, placeholder(label, secret))
    line += countLines(secret)
    cursor = to
  }
  parts.push(text.slice(cursor))
  return { text: parts.join(''), hits }
}

function countLines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}

const MAX_DEPTH = 64

/** JSON whose members with secret names are masked whole as `[REDACTED]`; numbers stay, other texts pass `redact`. */
export function redactJson(value: unknown, redact: (text: string) => Redacted = createRedactor(), depth = 0): unknown {
  if (typeof value === 'string') return redact(value).text
  if (typeof value !== 'object' || value === null) return value
  if (depth > MAX_DEPTH) return '[REDACTED]'
  if (Array.isArray(value)) return value.map((item) => redactJson(item, redact, depth + 1))
  const members = Object.entries(value).map(([key, member]): [string, unknown] => [
    key,
    isSecretKey(key) && !isExempt(member) ? '[REDACTED]' : redactJson(member, redact, depth + 1),
  ])
  return Object.fromEntries(members)
}

function isSecretKey(key: string): boolean {
  const lower = key.toLowerCase()
  if (/^tokens?_(?:in|out|used|total|think|tool|max|left|count)/.test(lower) || segments(key).includes('tokens')) return false
  if (/(?:password|passwd|secret|token|credential)/.test(lower)) return true
  return segments(key).at(-1) === 'key' || lower.endsWith('apikey')
}

function isExempt(member: unknown): boolean {
  return member === null || typeof member === 'number' || typeof member === 'boolean' || member === ''
}
