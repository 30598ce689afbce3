/**
 * The body of one unified hunk. The counts of the header are believed when they fit to the line; else the body ends
 * where the text stops looking like one. A line that is neither is an error: dropping it would write half an edit.
 */
import type { PatchLine } from './types.ts'

export interface HunkHeader {
  readonly oldStart: number | null
  readonly newStart: number | null
  readonly oldCount: number | null
  readonly newCount: number | null
  readonly section?: string
}

export type Body = { readonly ok: true; readonly lines: PatchLine[]; readonly next: number } | { readonly ok: false; readonly line: number }

const MAX_LINE_NUMBER = 0x7fffffff

export function readHunkHeader(line: string): HunkHeader {
  const full = /^@@ ?-(\d{1,15})(?:,(\d{1,15}))? \+(\d{1,15})(?:,(\d{1,15}))? ?@@ ?(.*)$/.exec(line)
  if (full) {
    const [, oldStart, oldCount, newStart, newCount, section] = full
    return {
      oldStart: lineNumber(oldStart),
      newStart: lineNumber(newStart),
      oldCount: oldCount === undefined ? 1 : lineNumber(oldCount),
      newCount: newCount === undefined ? 1 : lineNumber(newCount),
      ...sectionOf(section),
    }
  }
  // `@@ -12 @@`, `@@ line 12 @@`, `@@ ... @@`, `@@`, `@@ def f():` – numbers only where a minus announces them.
  const loose = /^@@ ?-(\d{1,15})/.exec(line)
  const tail = /^@@(?:.*?@@)?(.*)$/.exec(line)?.[1]
  const section = loose || /^@@[\s.]*(?:@@\s*)?$/.test(line) ? undefined : tail?.replace(/\s*@@\s*$/, '')
  return { oldStart: lineNumber(loose?.[1]), newStart: null, oldCount: null, newCount: null, ...sectionOf(section) }
}

export function readBody(lines: readonly string[], from: number, header: HunkHeader): Body {
  const { oldCount, newCount } = header
  if (oldCount !== null && newCount !== null) {
    const counted = readCounted(lines, from, oldCount, newCount)
    if (counted !== null) return counted
  }
  return readUncounted(lines, from)
}

/** A line that opens the next hunk, file, fence or mail signature. */
export function isTerminator(lines: readonly string[], index: number): boolean {
  const line = lines[index]
  if (line === undefined) return true
  if (line.startsWith('--- ')) return lines[index + 1]?.startsWith('+++ ') === true
  return /^(?:@@|diff --git |Index: |```|~~~|\*\*\* |-- ?$|={20,}|From [0-9a-f]{40} )/.test(line)
}

function readCounted(lines: readonly string[], from: number, oldCount: number, newCount: number): Body | null {
  const body: PatchLine[] = []
  let [oldLeft, newLeft, index] = [oldCount, newCount, from]
  while (oldLeft > 0 || newLeft > 0) {
    const line = lines[index]
    if (line === undefined || isFileHeader(lines, index)) return null
    index++
    if (line.startsWith('\\')) {
      if (!dropEnd(body)) return null
      continue
    }
    const read = readLine(line)
    if (read === null) return null
    if (read.kind !== '+') oldLeft--
    if (read.kind !== '-') newLeft--
    if (oldLeft < 0 || newLeft < 0) return null
    body.push(read)
  }
  if (lines[index]?.startsWith('\\')) {
    dropEnd(body)
    index++
  }
  return looksFinished(lines, index) ? { ok: true, lines: body, next: index } : null
}

/** False when body lines go on: then the counts were too small. */
function looksFinished(lines: readonly string[], index: number): boolean {
  if (isTerminator(lines, index)) return true
  let at = index
  while (lines[at] === '') at++
  const line = lines[at] ?? ''
  if (isTerminator(lines, at)) return true
  // After an empty line, `- x` is more likely a bullet of the prose that follows than a removed line.
  if (at > index && line.startsWith('- ')) return true
  return !/^[ +-]/.test(line)
}

function readUncounted(lines: readonly string[], from: number): Body {
  const body: PatchLine[] = []
  let index = from
  let trailingBlank = 0
  for (; !isTerminator(lines, index); index++) {
    const line = lines[index] ?? ''
    if (line.startsWith('\\')) {
      dropEnd(body)
      continue
    }
    const read = readLine(line)
    if (read === null) {
      if (trailingBlank === 0 && index > from) return { ok: false, line: index }
      break
    }
    trailingBlank = line === '' ? trailingBlank + 1 : 0
    body.push(read)
  }
  // Empty lines before what follows are spacing, not context.
  return { ok: true, lines: trailingBlank > 0 ? body.slice(0, -trailingBlank) : body, next: index }
}

function readLine(line: string): PatchLine | null {
  const kind = line === '' ? ' ' : line[0]
  if (kind !== ' ' && kind !== '-' && kind !== '+') return null
  return line.endsWith('\r') ? { kind, text: line.slice(1, -1), end: '\r\n' } : { kind, text: line.slice(1), end: '\n' }
}

/** `\ No newline at end of file`: the line before it has none, and a CR in front of nothing is content. */
function dropEnd(body: PatchLine[]): boolean {
  const last = body.at(-1)
  if (last === undefined) return false
  body[body.length - 1] = { kind: last.kind, text: last.end === '\r\n' ? `${last.text}\r` : last.text, end: '' }
  return true
}

function isFileHeader(lines: readonly string[], index: number): boolean {
  return lines[index]?.startsWith('--- ') === true && lines[index + 1]?.startsWith('+++ ') === true && lines[index + 2]?.startsWith('@@') === true
}

function lineNumber(text: string | undefined): number | null {
  if (text === undefined) return null
  const value = Number(text)
  return value <= MAX_LINE_NUMBER ? value : null
}

function sectionOf(text: string | undefined): { section?: string } {
  const section = text?.trim()
  return section ? { section } : {}
}
