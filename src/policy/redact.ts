/**
 * The one secrets filter: known values exactly, vendor patterns, secret-like names. Idempotent, linear in the text.
 * Never applied to files on disk. With `numbered` the same value keeps the same placeholder, and `restore` undoes it.
 */
import { assignmentSpans } from './redact-assignments.ts'
import { knownIndex, type KnownIndex, type KnownSecret } from './redact-known.ts'
import { isDistinct, segments } from './redact-names.ts'
import { pairSpans } from './redact-pairs.ts'
import { patternSpans, type Span } from './redact-patterns.ts'

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
  /** A value that was masked once, and is no mere word, is masked from then on wherever it stands. */
  readonly learns?: boolean
}

export interface Redactor {
  (text: string): Redacted
  /** Where secrets stand, ascending, without overlap. */
  spans(text: string): Span[]
  /** Only the secrets at `spans`, which must be of this text, ascending and without overlap. */
  mask(text: string, spans: readonly Span[]): Redacted
  /** As the redactor itself, without numbers. */
  unnumbered(text: string): string
  /** Placeholders that this redactor made, back to their values; others stay. Only with `numbered`. */
  restore(text: string): string
  /** The value of a placeholder that this redactor made. */
  valueOf(placeholder: string): string | undefined
  /** From now on this value is masked wherever it stands. */
  learn(secret: KnownSecret): void
}

const MAX_ROUNDS = 4

/** What stands where a secret was. */
export const PLACEHOLDER = /\[REDACTED(?::[A-Z0-9_]{1,64})?(?::\d{1,9})?\]/g

/** Quick to say: no mask without it. */
export const hasPlaceholder = (text: string): boolean => text.includes('[REDACTED')

export function createRedactor(options: RedactorOptions = {}): Redactor {
  const known = knownIndex(options.known ?? [])
  const names = options.numbered === true ? numberedNames() : plainNames()
  const redact = (text: string): Redacted => {
    names.reserve(text)
    return mask(text, spansOf(text), names.of)
  }
  /** Again as long as there is something new to look for. */
  const found = (text: string): Span[] => {
    let spans = secretSpans(text, known)
    for (let round = 0; options.learns === true && round < MAX_ROUNDS; round++) {
      const values = spans.map(({ from, to, label }) => ({ label, value: text.slice(from, to) })).filter(({ value }) => isDistinct(value))
      if (values.filter(known.add).length === 0) break
      spans = secretSpans(text, known)
    }
    return spans
  }
  /** With what would be found in the masked text, so that a text masked twice is masked once. */
  const spansOf = (text: string): Span[] => {
    let spans = found(text)
    for (let round = 0; spans.length > 0 && round < MAX_ROUNDS; round++) {
      const more = found(mask(text, spans, plainNames().of).text)
      if (more.length === 0) break
      spans = withoutOverlap([...spans, ...inUnmasked(more, spans)], [])
    }
    return spans
  }
  return Object.assign(redact, {
    spans: spansOf,
    unnumbered: (text: string) => mask(text, spansOf(text), plainNames().of).text,
    mask: (text: string, spans: readonly Span[]) => {
      names.reserve(text)
      return mask(text, spans, names.of)
    },
    restore: (text: string) => text.replace(PLACEHOLDER, (found) => names.valueOf(found) ?? found),
    valueOf: names.valueOf,
    learn: (secret: KnownSecret) => void known.add(secret),
  })
}

interface Names {
  of(label: string, value: string): string
  /** Placeholders that a text brings along are nobody's number. */
  reserve(text: string): void
  valueOf(placeholder: string): string | undefined
}

function plainNames(): Names {
  return { of: (label) => `[REDACTED:${label}]`, reserve: () => undefined, valueOf: () => undefined }
}

/** Numbers by first appearance, for each label from 1. */
function numberedNames(): Names {
  const given = new Map<string, string>()
  const values = new Map<string, string>()
  const counts = new Map<string, number>()
  const reserved = new Set<string>()
  return {
    of(label, value) {
      // The value alone: what one rule finds here may be another's there.
      const existing = given.get(value)
      if (existing !== undefined) return existing
      let made: string
      do {
        const count = (counts.get(label) ?? 0) + 1
        counts.set(label, count)
        made = `[REDACTED:${label}:${count}]`
      } while (reserved.has(made))
      given.set(value, made)
      values.set(made, value)
      return made
    },
    reserve(text) {
      if (!hasPlaceholder(text)) return
      for (const [placeholder] of text.matchAll(PLACEHOLDER)) if (!values.has(placeholder)) reserved.add(placeholder)
    },
    valueOf: (placeholder) => values.get(placeholder),
  }
}

// oxlint-disable-next-line no-control-regex
const COLOUR = /\x1b\[[0-9;]{0,32}[A-Za-z]/g

/** As if it had no colours, which may stand before, after and within what they colour. */
function secretSpans(text: string, known: KnownIndex): Span[] {
  if (!text.includes('\x1b[')) return plainSpans(text, known)
  const parts: { readonly at: number; readonly from: number }[] = []
  let plain = ''
  let cursor = 0
  for (const match of text.matchAll(COLOUR)) {
    parts.push({ at: plain.length, from: cursor })
    plain += text.slice(cursor, match.index)
    cursor = match.index + match[0].length
  }
  parts.push({ at: plain.length, from: cursor })
  plain += text.slice(cursor)
  let next = 0
  // The last part that begins at or before `at`; offsets are asked for in rising order.
  const back = (at: number): number => {
    while (next + 1 < parts.length && (parts[next + 1]?.at ?? Infinity) <= at) next++
    return (parts[next]?.from ?? 0) + at - (parts[next]?.at ?? 0)
  }
  return plainSpans(plain, known).map(({ from, to, label }) => ({ from: back(from), to: back(to - 1) + 1, label }))
}

/** Earlier listed kinds count first: exact values, then the table's order, then names. */
function plainSpans(text: string, known: KnownIndex): Span[] {
  const exact = known.spans(text)
  // What stands right behind a known value begins there only once that is masked.
  const behind = exact.length === 0 ? [] : patternSpans(blanked(text, exact))
  const certain = [...exact, ...patternSpans(text), ...behind]
  return withoutOverlap([...certain, ...assignmentSpans(text, certain), ...pairSpans(text)], placeholders(text))
}

/** Of the same length, with the end of a placeholder in place of the spans. */
function blanked(text: string, spans: readonly Span[]): string {
  const parts: string[] = []
  let cursor = 0
  for (const { from, to } of spans) {
    parts.push(text.slice(cursor, from), ']'.repeat(to - from))
    cursor = to
  }
  return [...parts, text.slice(cursor)].join('')
}

function placeholders(text: string): Span[] {
  if (!hasPlaceholder(text)) return []
  return [...text.matchAll(PLACEHOLDER)].map((match) => ({
    from: match.index,
    to: match.index + match[0].length,
    label: '',
  }))
}

export function labelOf(placeholder: string): string {
  return /^\[REDACTED:([A-Z0-9_]*[A-Z_][A-Z0-9_]*)/.exec(placeholder)?.[1] ?? 'SECRET'
}

/** Placeholders in a text, by label. */
export function maskedIn(text: string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  if (!hasPlaceholder(text)) return counts
  for (const [placeholder] of text.matchAll(PLACEHOLDER)) {
    const label = labelOf(placeholder)
    counts[label] = (counts[label] ?? 0) + 1
  }
  return counts
}

/**
 * Spans of the text in which `spans` are masked by plain placeholders, in the text itself; one that touches a placeholder takes
 * all of its secret. Both ascending.
 */
function inUnmasked(more: readonly Span[], spans: readonly Span[]): Span[] {
  const place = plainNames().of
  let [shift, next] = [0, 0]
  const parts = spans.map(({ from, to, label }) => {
    const at = from + shift
    const end = at + place(label, '').length
    shift = end - to
    return { from, to, at, end }
  })
  /** Offsets are asked for in rising order. */
  const back = (offset: number, side: 'from' | 'to'): number => {
    const isBehind = (at: number) => (side === 'from' ? at <= offset : at < offset)
    while (next < parts.length && isBehind(parts[next]?.at ?? Infinity)) next++
    const before = parts[next - 1]
    if (!before) return offset
    const isInside = side === 'from' ? offset < before.end : offset <= before.end
    return isInside ? before[side] : offset - before.end + before.to
  }
  return more.map(({ from, to, label }) => ({ from: back(from, 'from'), to: back(to, 'to'), label }))
}

/**
 * Overlapping spans become one, labelled by the first listed, so that no part of either stays. Spans that begin
 * inside of a placeholder are dropped: that is what makes the filter idempotent.
 */
function withoutOverlap(spans: readonly Span[], masked: readonly Span[]): Span[] {
  const ordered = spans.map((span, rank) => ({ ...span, rank })).toSorted((a, b) => a.from - b.from || b.to - a.to)
  const merged: { from: number; to: number; label: string; rank: number }[] = []
  let at = 0
  for (const span of ordered) {
    while (at < masked.length && (masked[at]?.to ?? 0) <= span.from) at++
    const inside = masked[at]
    if (inside !== undefined && inside.from <= span.from && (span.to <= inside.to || inside.from < span.from)) continue
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
    redact(key).text,
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

/** A copy with every text masked by what it says alone; names of members mean nothing here. */
export function redactTexts<Value>(value: Value, redact: (text: string) => string): Value {
  if (typeof value === 'string') return redact(value) as Value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item: unknown) => redactTexts(item, redact)) as Value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [redact(key), redactTexts(member as unknown, redact)])) as Value
}
