/**
 * How wide text is on a terminal, per grapheme, and how it is padded and cut to a width. Marks count nothing.
 * Only live rows are ever cut; numbers, ids and commands to copy never are.
 */
import { signs, type Look } from './style.ts'

/** A mark, with the role's letter after an opening one. */
// oxlint-disable-next-line no-control-regex
const MARKS = /\x01.|[\x02-\x04]/gu
// What is surely one cell a code unit: ASCII, Latin, general punctuation we use, arrows, boxes, our own signs.
const SIMPLE = /^[\x06\x07\x20-\x7e\u00a0-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u259f]*$/u
const WIDE =
  /^[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f320}\u{20000}-\u{3fffd}]/u
const EMOJI = /\p{Emoji_Presentation}|\ufe0f/u
const NOTHING = /^[\p{Mark}\p{Cf}]+$/u

export function bare(text: string): string {
  return text.replace(MARKS, '')
}

/** Cells on a terminal. East Asian wide and emoji take two, what only combines none. */
export function cells(text: string): number {
  const plain = bare(text)
  if (SIMPLE.test(plain)) return plain.length
  let sum = 0
  for (const grapheme of graphemes(plain)) sum += graphemeCells(grapheme)
  return sum
}

function graphemes(text: string): string[] {
  return [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)].map((part) => part.segment)
}

function graphemeCells(grapheme: string): number {
  if (NOTHING.test(grapheme)) return 0
  return WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1
}

/** The text in the terminal's signs, filled with spaces to at least `width` cells. */
export function pad(look: Look, text: string, width: number): string {
  const shown = signs(look, text)
  return shown + ' '.repeat(Math.max(0, width - cells(shown)))
}

export function padStart(look: Look, text: string, width: number): string {
  const shown = signs(look, text)
  return ' '.repeat(Math.max(0, width - cells(shown))) + shown
}

/** At most `width` cells, the end given up. Unmarked text only. */
export function cutEnd(look: Look, text: string, width: number): string {
  const shown = signs(look, text)
  if (cells(shown) <= width) return shown
  const dots = signs(look, '…')
  if (width <= dots.length) return dots.slice(0, Math.max(0, width))
  return take(graphemes(shown), width - dots.length).trimEnd() + dots
}

/** At most `width` cells, the middle given up: `src/…/totals.ts`. The file's name survives longest. */
export function cutMiddle(look: Look, path: string, width: number): string {
  const shown = signs(look, path)
  if (cells(shown) <= width) return shown
  const dots = signs(look, '…')
  const slash = shown.lastIndexOf('/')
  const name = shown.slice(slash)
  const room = width - dots.length - cells(name)
  if (slash > 0 && room >= 1) {
    const head = take(graphemes(shown.slice(0, slash)), room)
    const whole = head.lastIndexOf('/')
    return (whole > 0 ? head.slice(0, whole + 1) : head) + dots + name
  }
  const left = Math.max(0, Math.floor((width - dots.length) / 2))
  const right = Math.max(0, width - dots.length - left)
  const parts = graphemes(shown)
  return (take(parts, left) + dots + take(parts.toReversed(), right, true)).slice(0, Math.max(width, 0) * 4)
}

function take(parts: readonly string[], width: number, reversed = false): string {
  const taken: string[] = []
  let used = 0
  for (const part of parts) {
    used += graphemeCells(part)
    if (used > width) break
    taken.push(part)
  }
  return (reversed ? taken.toReversed() : taken).join('')
}
