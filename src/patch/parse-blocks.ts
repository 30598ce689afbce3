/**
 * Search/replace blocks: a path line, `<<<<<<< SEARCH`, old lines, `=======`, new lines, `>>>>>>> REPLACE`.
 * Lines that both halves share at their edges become context; an empty search half creates the file.
 */
import type { FilePatch, Hunk, ParseResult, PatchLine } from './types.ts'

export function parseBlocks(lines: readonly string[], defaultPath?: string): ParseResult {
  const files: FilePatch[] = []
  let path = defaultPath ?? null
  for (let index = 0; index < lines.length; index++) {
    if (!/^<{5,9} ?SEARCH\s*$/.test(lines[index] ?? '')) continue
    path = pathAbove(lines, index) ?? path
    const middle = findLine(lines, index + 1, /^={5,9}\s*$/)
    const end = findLine(lines, middle + 1, /^>{5,9} ?REPLACE\s*$/)
    if (middle < 0 || end < 0) return { ok: false, reason: 'malformed', message: 'a SEARCH block without ======= or REPLACE', line: index + 1 }
    if (path === null) return { ok: false, reason: 'no_path', message: 'put the path on the line above <<<<<<< SEARCH', line: index + 1 }
    const file = blockPatch(path, lines.slice(index + 1, middle), lines.slice(middle + 1, end), index + 1)
    if (file !== null) files.push(file)
    index = end
  }
  return { ok: true, files }
}

function blockPatch(path: string, search: readonly string[], replace: readonly string[], patchLine: number): FilePatch | null {
  const [before, after] = [search.map(clean), replace.map(clean)]
  if (before.length === 0) {
    const hunk: Hunk = { oldStart: 0, newStart: 1, lines: after.map((text) => line('+', text)), patchLine }
    return { kind: 'create', oldPath: null, newPath: path, hunks: [hunk] }
  }
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  if (head === before.length && head === after.length) return null
  let tail = 0
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  const lines = [
    ...before.slice(0, head).map((text) => line(' ', text)),
    ...before.slice(head, before.length - tail).map((text) => line('-', text)),
    ...after.slice(head, after.length - tail).map((text) => line('+', text)),
    ...before.slice(before.length - tail).map((text) => line(' ', text)),
  ]
  return { kind: 'modify', oldPath: path, newPath: path, hunks: [{ oldStart: null, newStart: null, lines, patchLine }] }
}

/** The nearest line above that is neither blank nor a fence, if it can be a path. */
function pathAbove(lines: readonly string[], from: number): string | null {
  for (let index = from - 1; index >= Math.max(0, from - 4); index--) {
    const text = (lines[index] ?? '').trim()
    if (text === '') continue
    if (/^(?:```|~~~)/.test(text)) continue
    if (/^>{5,9} ?REPLACE$/.test(text)) return null
    const name = text.replace(/^[#*`\s]+|[*`:\s]+$/g, '')
    return name !== '' && name.length < 4096 && !/\s/.test(name) ? name : null
  }
  return null
}

function findLine(lines: readonly string[], from: number, pattern: RegExp): number {
  if (from <= 0) return -1
  for (let index = from; index < lines.length; index++) if (pattern.test(lines[index] ?? '')) return index
  return -1
}

function clean(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

function line(kind: PatchLine['kind'], text: string): PatchLine {
  return { kind, text, end: '\n' }
}
