/**
 * The filter over text that comes in pieces: a secret that lies across two of them is masked as if they had come at once.
 * Whole lines leave, some lines late; what is held is bounded. Chunked and whole agree while no block of a private key and
 * no line is longer than `MAX_HELD`.
 */
import type { Redactor } from './redact.ts'

export interface MaskStream {
  /** What can leave now. */
  push(chunk: string): string
  /** The rest. */
  end(): string
}

/** Lines that wait, since a value may be told by the line before it. */
const LATE_LINES = 4
const MAX_HELD = 1 << 20

export function maskStream(redactor: Redactor): MaskStream {
  let seen = ''
  let held = ''
  /** Emits `held` up to `cut`; lines already seen are looked at again, for what they say of the next. */
  const leave = (cut: number): string => {
    const text = seen + held
    const border = seen.length
    const spans = redactor.spans(text)
    let end = border + cut
    // A secret that the border cuts waits, unless this is all there is.
    for (const span of spans) if (span.from < end && span.to > end) end = Math.max(border, span.from)
    const inside = spans
      .filter((span) => span.to > border && span.from < end)
      .map((span) => ({ ...span, from: Math.max(span.from, border) - border, to: span.to - border }))
    const out = redactor.mask(text.slice(border, end), inside).text
    seen = lastLines(text.slice(0, end), LATE_LINES)
    held = text.slice(end)
    return out
  }
  return {
    push(chunk) {
      held += chunk
      if (!chunk.includes('\n') && held.length < MAX_HELD) return ''
      const open = held.length < MAX_HELD ? openBlock(held) : -1
      const late = held.length - lastLines(held, LATE_LINES).length
      const cut = held.length >= MAX_HELD && late === 0 ? held.length : open >= 0 ? Math.min(open, late) : late
      return cut > 0 ? leave(cut) : ''
    },
    end: () => (held === '' ? '' : leave(held.length)),
  }
}

/** The last whole lines and what follows them. */
function lastLines(text: string, count: number): string {
  let at = text.length
  for (let n = 0; n <= count && at > 0; n++) at = text.lastIndexOf('\n', at - 1)
  return at <= 0 ? text : text.slice(at + 1)
}

/** Where a private key begins that has not ended yet, or -1. */
function openBlock(text: string): number {
  const begin = text.lastIndexOf('-----BEGIN')
  return begin >= 0 && !text.includes('-----END', begin) && /^-----BEGIN[A-Z0-9 ]*(?:-|$)/.test(text.slice(begin, begin + 60))
    ? text.lastIndexOf('\n', begin) + 1
    : -1
}
