/**
 * Values that are known to be secret, found wherever they stand, exactly and as JSON, addresses and base64 write them. One walk
 * over the text, however many they are.
 */
import type { Span } from './redact-patterns.ts'

export interface KnownSecret {
  /** What it is called; becomes the label. */
  readonly label: string
  readonly value: string
}

export interface KnownIndex {
  spans(text: string): Span[]
  /** A value that became known on the way; false when it was known, or no more are kept. */
  add(secret: KnownSecret): boolean
}

/** Shorter ones would mask words. */
export const MIN_KNOWN_CHARS = 6
const KEY_CHARS = 4
const MAX_KNOWN = 20_000
/** A line of a longer value that is enough to tell it. */
const MIN_LINE_CHARS = 16

export function knownIndex(known: readonly KnownSecret[]): KnownIndex {
  const byStart = new Map<string, { readonly label: string; readonly value: string }[]>()
  const firsts = new Uint8Array(65_536)
  let count = 0
  const add = ({ label, value }: KnownSecret): boolean => {
    if (count >= MAX_KNOWN || byStart.get(value.slice(0, KEY_CHARS))?.some((one) => one.value === value)) return false
    count++
    for (const form of formsOf(value).filter((one) => one.length >= MIN_KNOWN_CHARS || one === value)) {
      const start = form.slice(0, KEY_CHARS)
      const same = byStart.get(start) ?? []
      if (same.some((one) => one.value === form)) continue
      byStart.set(
        start,
        [...same, { label: labelOf(label), value: form }].toSorted((a, b) => b.value.length - a.value.length),
      )
      firsts[form.charCodeAt(0)] = 1
    }
    return true
  }
  known.filter(({ value }) => value.length >= MIN_KNOWN_CHARS).forEach(add)
  return {
    add,
    spans(text) {
      const spans: Span[] = []
      if (byStart.size === 0) return spans
      for (let at = 0; at < text.length; at++) {
        if (firsts[text.charCodeAt(at)] === 0) continue
        const found = byStart.get(text.slice(at, at + KEY_CHARS))?.find(({ value }) => text.startsWith(value, at))
        if (!found) continue
        pushLines(spans, text, { from: at, to: at + found.value.length, label: found.label })
        at += found.value.length - 1
      }
      return spans
    },
  }
}

/** One span a line, so that what is masked keeps its line numbers. */
function pushLines(spans: Span[], text: string, { from, to, label }: Span): void {
  for (let at = from; at < to;) {
    const newline = text.indexOf('\n', at)
    const end = newline < 0 || newline > to ? to : newline
    const stop = text[end - 1] === '\r' ? end - 1 : end
    if (stop > at) spans.push({ from: at, to: stop, label })
    at = end + 1
  }
}

/** A name as a placeholder can hold it. */
export function labelOf(name: string): string {
  return (
    name
      .toUpperCase()
      .replace(/[^A-Z0-9]+/g, '_')
      .replace(/^_+|_+$/g, '')
      .slice(0, 64) || 'SECRET'
  )
}

function formsOf(value: string): string[] {
  const plain = [value, ...value.split(/\r?\n/).filter((line) => line !== value && line.trim().length >= MIN_LINE_CHARS)]
  const forms = plain.flatMap((text) => [text, JSON.stringify(text).slice(1, -1), encoded(text), Buffer.from(text).toString('base64').replace(/=+$/, '')])
  return [...new Set(forms)].filter((form) => form.length >= KEY_CHARS)
}

function encoded(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : text
}
