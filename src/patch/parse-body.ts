/**
 * The body of one unified hunk. The counts of the header are believed when they fit to the line; else the body ends
 * where the text stops looking like one. A line that is neither is an error: dropping it would write half an edit.
 * A removed line and a bullet look alike: what may be either is told to the caller, for only the file can say.
 */
import { isBullet, isFileHeader, isSignature, isSignatureMark } from './prose.ts'
import type { PatchLine } from './types.ts'

export interface HunkHeader {
  readonly oldStart: number | null
  readonly newStart: number | null
  readonly oldCount: number | null
  readonly newCount: number | null
  readonly section?: string
}

export interface FoundBody {
  readonly ok: true
  readonly lines: PatchLine[]
  readonly next: number
  /** Whether the counts of the header bear the reading out. */
  readonly isCounted: boolean
  /** The body without bullets at its end that may be prose, and what they take away if they are none. */
  readonly shorter?: { readonly lines: PatchLine[]; readonly unread: readonly string[] }
}
export type Body = FoundBody | { readonly ok: false; readonly line: number; readonly message: string }

const NEITHER = 'a line inside a hunk starts with neither a blank, - nor +'
export const EITHER = 'this may be an added line or the name of the next file: give each file its --- and its +++ line'

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
    const counted = readCounted(lines, from, { ...header, oldCount, newCount })
    if (counted !== null) return counted
  }
  return readUncounted(lines, from)
}

/** Whether the header counts more than the body has. A count that is too small was never right, so it tells nothing. */
export function lacksLines({ lines }: FoundBody, { oldCount, newCount }: HunkHeader): boolean {
  if (oldCount === null || newCount === null) return false
  const oldLeft = oldCount - lines.filter((line) => line.kind !== '+').length
  const newLeft = newCount - lines.filter((line) => line.kind !== '-').length
  return oldLeft >= 0 && newLeft >= 0 && oldLeft + newLeft > 0
}

/** A line that opens the next hunk, file, fence or mail signature. */
export function isTerminator(lines: readonly string[], index: number): boolean {
  const line = lines[index]
  if (line === undefined || isFileHeader(lines, index) || isSignature(lines, index)) return true
  return /^(?:@@|diff --git |Index: |```|~~~|\*\*\* |={20,}|From [0-9a-f]{40} )/.test(line)
}

type Counted = HunkHeader & { readonly oldCount: number; readonly newCount: number }

function readCounted(lines: readonly string[], from: number, header: Counted): FoundBody | null {
  const body: PatchLine[] = []
  let [oldLeft, newLeft, index] = [header.oldCount, header.newCount, from]
  while (oldLeft > 0 || newLeft > 0) {
    const line = lines[index]
    if (line === undefined) return null
    // `-- x` for `++ x` reads like the names of another file, unless the numbers go on below it.
    if (isFileHeader(lines, index) && !(oldLeft === 1 && newLeft === 1 && goesOn(header, readHunkHeader(lines[index + 2] ?? '')))) return null
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
  return looksFinished(lines, index) ? { ok: true, lines: body, next: index, isCounted: true } : null
}

/** Whether the next header counts on from this one, as only that of the same file does. */
function goesOn(header: Counted, next: HunkHeader): boolean {
  if (header.oldStart === null || header.newStart === null || next.oldCount === null || next.newCount === null) return false
  if (next.oldStart === null || next.newStart === null) return false
  // A side without lines is named by the line before it.
  const after = [header.oldStart + Math.max(header.oldCount, 1), header.newStart + Math.max(header.newCount, 1)] as const
  const from = [next.oldStart + (next.oldCount === 0 ? 1 : 0), next.newStart + (next.newCount === 0 ? 1 : 0)] as const
  return from[0] >= after[0] && from[0] - after[0] === from[1] - after[1]
}

/** False when body lines go on: then the counts were too small. */
function looksFinished(lines: readonly string[], index: number): boolean {
  if (isTerminator(lines, index)) return true
  if (isSignatureMark(lines[index])) return !/^[ +-]/.test(lines[index + 1] ?? '')
  let at = index
  while (lines[at] === '') at++
  const line = lines[at] ?? ''
  if (isTerminator(lines, at)) return true
  // After an empty line, `- x` is more likely a bullet of the prose that follows than a removed line.
  if (at > index && isBullet(line)) return true
  return !/^[ +-]/.test(line)
}

function readUncounted(lines: readonly string[], from: number): Body {
  let index = from
  for (; !isTerminator(lines, index); index++) {
    const line = lines[index] ?? ''
    if (line.startsWith('+++ ') && lines[index + 1]?.startsWith('@@')) return { ok: false, line: index, message: EITHER }
    if (line.startsWith('\\') || readLine(line) !== null) continue
    const prose = proseFrom(lines, from, index)
    if (prose < index) return { ok: true, lines: bodyOf(lines, from, prose), next: prose, isCounted: false }
    if (lines[index - 1] !== '') return { ok: false, line: index, message: NEITHER }
    break
  }
  const prose = proseFrom(lines, from, index)
  const body: FoundBody = { ok: true, lines: bodyOf(lines, from, index), next: index, isCounted: false }
  if (prose === index) return body
  return {
    ...body,
    shorter: { lines: bodyOf(lines, from, prose), unread: lines.slice(prose, index).flatMap((line) => (isBullet(line) ? [line.slice(1)] : [])) },
  }
}

/** Where prose may begin that ends at `to`: at an empty line below which there are only bullets and what belongs to them. */
function proseFrom(lines: readonly string[], from: number, to: number): number {
  let prose = to
  for (let index = to - 1; index > from; index--) {
    const line = lines[index] ?? ''
    if (line === '' && (isBullet(lines[index + 1] ?? '') || prose === index + 1)) prose = index
    else if (line !== '' && !isBullet(line) && !line.startsWith('  ')) break
  }
  return isBullet(lines.slice(prose, to).find((line) => line !== '') ?? '') ? prose : to
}

/** Empty lines before what follows are spacing, not context. */
function bodyOf(lines: readonly string[], from: number, to: number): PatchLine[] {
  const body: PatchLine[] = []
  let end = to
  while (end > from && lines[end - 1] === '') end--
  for (const line of lines.slice(from, end)) {
    const read = line.startsWith('\\') ? null : readLine(line)
    if (read === null) dropEnd(body)
    else body.push(read)
  }
  return body
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

function lineNumber(text: string | undefined): number | null {
  if (text === undefined) return null
  const value = Number(text)
  return value <= MAX_LINE_NUMBER ? value : null
}

function sectionOf(text: string | undefined): { section?: string } {
  const section = text?.trim()
  return section ? { section } : {}
}
