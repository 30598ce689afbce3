/**
 * Private keys in PEM, line by line, so that what is masked keeps its line numbers. A block that does not end is masked to
 * the end of the text (or of its part of a diff); an end without a beginning, as a cut leaves it, takes the lines before it
 * that look like a key's. A header that is only named, as code does that reads keys, is none.
 */
import type { Span } from './redact-patterns.ts'

const LABEL = 'PRIVATE_KEY'
/** Its last dashes may be the first of another. */
const BEGIN = /-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?(?=-----)/g
const DASHES = 5
const END = /-----END[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g
const RUN = /[A-Za-z0-9+/]{32}/g
const BLANKS = 160
const PART = /^(?:@@ -|diff --git |--- a\/|Index: |\[\d+ bytes left out\])/
const LEAD = '[\\s+\\->|#*"\'\\\\]*'
const TAIL = '(?:\\\\[rn])*["\',\\s\\\\]*$'
const BODY_LINE = new RegExp(`^${LEAD}[A-Za-z0-9+/]{40,100}={0,2}${TAIL}`)
/** The last one may be short. */
const LAST_LINE = new RegExp(`^${LEAD}[A-Za-z0-9+/]{1,100}={0,2}${TAIL}`)
const MAX_LINE = 140
/** A whole one: half of one, as a text may bring it, hides nothing. */
const MASKED = /^\[REDACTED(?::[A-Z0-9_]{1,64})?(?::\d{1,9})?\]/
const MAX_PLACEHOLDER = 90
const MAX_LINES_BACK = 400

interface Range {
  readonly from: number
  readonly to: number
}

export function privateKeySpans(text: string): Span[] {
  if (!text.includes('PRIVATE KEY')) return []
  const ends = [...text.matchAll(END)].map((match): Range => ({ from: match.index, to: match.index + match[0].length }))
  const blocks: Range[] = []
  const looksLikeBody = bodyFinder(text)
  let next = 0
  let done = 0
  for (const begin of text.matchAll(BEGIN)) {
    const body = begin.index + begin[0].length + DASHES
    if (begin.index < done || !looksLikeBody(body)) continue
    for (; next < ends.length && (ends[next]?.from ?? 0) < body; next++) pushTail(text, ends[next], done, blocks)
    const limit = isEscaped(text, body) ? lineEnd(text, body) : partEnd(text, body)
    const end = ends[next]
    const isClosed = end !== undefined && end.from < limit
    done = isClosed ? end.to : limit
    if (isClosed) next++
    blocks.push({ from: begin.index, to: done })
  }
  for (; next < ends.length; next++) pushTail(text, ends[next], done, blocks)
  return blocks.flatMap((block) => lineSpans(text, block))
}

/**
 * Whether a key's body follows a header: a line's end, written or escaped, or something like a key on its line or the next.
 * Lines, not characters: what is masked between would bring the body nearer, and a second pass would see another text.
 * To be asked with rising places, so that a long line is read once.
 */
function bodyFinder(text: string): (at: number) => boolean {
  let run = -1
  let end = -1
  const runs = text.matchAll(RUN)
  return (at) => {
    if (/^[ \t]*(?:\\*[nr]|[\r\n]|$)/.test(text.slice(at, at + BLANKS))) return true
    if (end < at) end = lineEnd(text, lineEnd(text, at) + 1)
    while (run < at) run = runs.next().value?.index ?? Infinity
    return run < end
  }
}

/** Written as one line, with `\n` for its line ends, and not as one string a line. */
function isEscaped(text: string, at: number): boolean {
  const end = lineEnd(text, at)
  return /^[ \t]*\\+[nr]/.test(text.slice(at, at + 20)) && !BODY_LINE.test(text.slice(end + 1, lineEnd(text, end + 1)).slice(0, MAX_LINE))
}

function lineEnd(text: string, at: number): number {
  const newline = text.indexOf('\n', at)
  return newline < 0 ? text.length : newline
}

/** Where the part of a diff, or of an output that was cut, ends that `at` lies in. */
function partEnd(text: string, at: number): number {
  for (let line = text.indexOf('\n', at) + 1; line > 0; line = text.indexOf('\n', line) + 1) if (PART.test(text.slice(line, line + 40))) return line - 1
  return text.length
}

/** The lines of a key before an end whose beginning is not there. */
function pushTail(text: string, end: Range | undefined, after: number, blocks: Range[]): void {
  if (end === undefined) return
  const own = Math.max(after, text.lastIndexOf('\n', end.from) + 1)
  let from = own
  for (let back = 0; back < MAX_LINES_BACK && from > after; back++) {
    const before = Math.max(after, text.lastIndexOf('\n', from - 2) + 1)
    const line = text.slice(before, from - 1)
    if (line.length > MAX_LINE || !(back === 0 ? LAST_LINE : BODY_LINE).test(line)) break
    from = before
  }
  if (from < own || /[A-Za-z0-9+/]{32}/.test(text.slice(own, end.from))) blocks.push({ from, to: end.to })
}

/** One span a line; what leads it in a diff, a comment or a list stays. */
function lineSpans(text: string, { from, to }: Range): Span[] {
  const spans: Span[] = []
  for (let at = from; at < to;) {
    const end = Math.min(lineEnd(text, at), to)
    let start = at
    while (start < end && ' \t+->|#*"\''.includes(text[start] ?? '') && !text.startsWith('-----', start)) start++
    let stop = end
    while (stop > start && ' \t\r",\'\\'.includes(text[stop - 1] ?? '')) stop--
    if (stop > start && !MASKED.test(text.slice(start, start + MAX_PLACEHOLDER))) spans.push({ from: start, to: stop, label: LABEL })
    at = end + 1
  }
  return spans
}
