/**
 * Search/replace blocks: a path line, `<<<<<<< SEARCH`, old lines, `=======`, new lines, `>>>>>>> REPLACE`.
 * Lines that both halves share at their edges become context; an empty search half creates the file. A block that can
 * be divided at several lines keeps every reading: only the file can tell which is meant.
 */
import { MAX_HUNKS, opensAnother, TWO_FORMS } from './forms.ts'
import type { FilePatch, Hunk, ParseResult, PatchLine } from './types.ts'

const OPENS = /^<{5,9} ?SEARCH\s*$/
const DIVIDES = /^={5,9}\s*$/
const CLOSES = /^>{5,9} ?REPLACE\s*$/
const MAX_READINGS = 16

function opensBlock(line: string): boolean {
  return OPENS.test(line)
}

export function parseBlocks(lines: readonly string[], defaultPath?: string): ParseResult {
  const files: FilePatch[] = []
  let path = defaultPath ?? null
  let blocks = 0
  for (let index = 0; index < lines.length; index++) {
    if (opensAnother('blocks', lines[index] ?? '')) return malformed(index, TWO_FORMS)
    if (CLOSES.test(lines[index] ?? '')) return malformed(index, `a REPLACE line without its SEARCH. ${MARKERS_WITHIN}`)
    if (!opensBlock(lines[index] ?? '')) continue
    path = pathAbove(lines, index) ?? path
    if (++blocks > MAX_HUNKS) return { ok: false, reason: 'too_large', message: `more than ${MAX_HUNKS} blocks`, line: index + 1 }
    let end = index + 1
    while (end < lines.length && !opensBlock(lines[end] ?? '') && !CLOSES.test(lines[end] ?? '')) end++
    if (opensBlock(lines[end] ?? '')) return malformed(end, `a SEARCH line within a block. ${MARKERS_WITHIN}`)
    const body = lines.slice(index + 1, end)
    const dividers = body.flatMap((line, at) => (DIVIDES.test(line) ? [at] : []))
    if (end >= lines.length || dividers.length === 0) return malformed(index, 'a SEARCH block without ======= or REPLACE')
    if (path === null) return { ok: false, reason: 'no_path', message: 'put the path on the line above <<<<<<< SEARCH', line: index + 1 }
    const file = blockPatch(path, body.map(clean), dividers, index + 1)
    if (file === 'unclear') return malformed(index, `the block can be divided at several ======= lines. ${MARKERS_WITHIN}`)
    if (file !== null) files.push(file)
    index = end
  }
  return { ok: true, files }
}

const MARKERS_WITHIN = 'Where the content itself holds such lines, a block cannot say which are its own'

/** null: nothing is changed. An empty search half makes the file, whatever else divides it: no old text begins with a divider. */
function blockPatch(path: string, body: readonly string[], dividers: readonly number[], patchLine: number): FilePatch | null | 'unclear' {
  if (dividers[0] === 0) {
    const lines = body.slice(1).map((text) => line('+', text))
    return { kind: 'create', oldPath: null, newPath: path, hunks: [{ oldStart: 0, newStart: 1, lines, patchLine }] }
  }
  const readings = dividers.slice(0, MAX_READINGS + 1).map((at) => blockLines(body.slice(0, at), body.slice(at + 1)))
  const [first, ...others] = readings.flatMap((lines) =>
    lines === null ? [] : [{ oldStart: null, newStart: null, lines, patchLine, isOfTwoTexts: true as const }],
  )
  if (first === undefined) return null
  if (readings.length > MAX_READINGS || readings.includes(null)) return 'unclear'
  const hunk: Hunk = others.length === 0 ? first : { ...first, otherwise: others }
  return { kind: 'modify', oldPath: path, newPath: path, hunks: [hunk] }
}

/** null where both halves are the same. */
function blockLines(before: readonly string[], after: readonly string[]): PatchLine[] | null {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  if (head === before.length && head === after.length) return null
  let tail = 0
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  return [
    ...before.slice(0, head).map((text) => line(' ', text)),
    ...before.slice(head, before.length - tail).map((text) => line('-', text)),
    ...after.slice(head, after.length - tail).map((text) => line('+', text)),
    ...before.slice(before.length - tail).map((text) => line(' ', text)),
  ]
}

/** The nearest line above that is neither blank nor a fence, if it can be a path. */
function pathAbove(lines: readonly string[], from: number): string | null {
  for (let index = from - 1; index >= Math.max(0, from - 4); index--) {
    const text = (lines[index] ?? '').trim()
    if (text === '') continue
    if (/^(?:```|~~~)/.test(text)) continue
    if (/^>{5,9} ?REPLACE$/.test(text)) return null
    const name = text.replace(/^[#*`\s]+|[*`:\s]+$/g, '')
    return name !== '' && name.length < 4096 && !/\s/.test(name) ? name : nameInProse(text)
  }
  return null
}

/** The one word in back quotes that can only be a path: "In `src/a.py`:". */
function nameInProse(text: string): string | null {
  const names = [...text.matchAll(/`([\w@+-]*[./][\w@+./-]*)`/g)].map((match) => match[1] ?? '')
  return names.length === 1 && text.length < 4096 ? (names[0] ?? null) : null
}

function clean(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

function line(kind: PatchLine['kind'], text: string): PatchLine {
  return { kind, text, end: '\n' }
}

function malformed(index: number, message: string): ParseResult {
  return { ok: false, reason: 'malformed', message, line: index + 1 }
}
