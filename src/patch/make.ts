/**
 * Unified diffs of our own, as git writes them and `git apply` takes them, and their reversal.
 * Lines are split at LF only, as git does: a CR-only file is one line.
 */
import { diffArrays } from 'diff'
import { splitLf } from '../core/lines.ts'
import { blobId } from './apply.ts'
import { dominantEnd, encode, joinLines, splitLines, type TextFile } from './text-file.ts'
import type { FileMode, FilePatch, Hunk, LineEnd, PatchLine } from './types.ts'

export interface MakeOptions {
  readonly context?: number
  readonly oldMode?: FileMode
  readonly newMode?: FileMode
  /** Blob ids for the `index` line, where the bytes on disk are not the UTF-8 of the texts. */
  readonly blobs?: readonly [before: string | null, after: string | null]
}

const NO_NEWLINE = '\\ No newline at end of file'
/** Beyond this many edits the files have little in common and one replaced block is as good, and fast. */
const MAX_EDITS = 3000

/** The empty string when nothing differs. `before` null creates, `after` null deletes. */
export function makeUnifiedDiff(path: string, before: string | null, after: string | null, options: MakeOptions = {}): string {
  const modes = modeLines(before, after, options)
  if (before === after && modes.length === 0) return ''
  const head = [`diff --git ${quoteName(`a/${path}`)} ${quoteName(`b/${path}`)}`, ...modes]
  const body = before === after ? [] : hunkLines(splitLf(before ?? ''), splitLf(after ?? ''), options.context ?? 3)
  if (before !== after) head.push(indexLine(before, after, options))
  if (body.length > 0) {
    head.push(`--- ${before === null ? '/dev/null' : tabbed(`a/${path}`)}`, `+++ ${after === null ? '/dev/null' : tabbed(`b/${path}`)}`)
  }
  return [...head, ...body].join('\n') + '\n'
}

/** The diff of two decoded files; the byte-order mark is content, as for git. */
export function makeFileDiff(path: string, before: TextFile | null, after: TextFile | null, options: MakeOptions = {}): string {
  const text = (file: TextFile | null): string | null => (file === null ? null : (file.bom ? '\uFEFF' : '') + joinLines(file))
  const id = (file: TextFile | null): string | null => (file === null ? null : blobId(encode(file)))
  return makeUnifiedDiff(path, text(before), text(after), { ...options, blobs: [id(before), id(after)] })
}

/** How many lines such a diff would take away and add, without writing it. */
export function countChanges(before: TextFile | null, after: TextFile | null): { add: number; del: number } {
  const lines = (file: TextFile | null): string[] => (file === null ? [] : splitLf((file.bom ? '\uFEFF' : '') + joinLines(file)))
  const edits = editsOf(lines(before), lines(after))
  const count = (kind: Edit['kind']): number => edits.reduce((sum, edit) => (edit.kind === kind ? sum + 1 : sum), 0)
  return { add: count('+'), del: count('-') }
}

/**
 * A whole new content for a file that is there: encoding, byte-order mark and line ends stay the file's, whatever ends the content was sent with.
 * Where the file's own are mixed, lines that stay keep theirs. Whether there is a final line end, the content says.
 */
export function rewrite(before: TextFile, content: string): TextFile {
  const text = before.bom && content.startsWith('\uFEFF') ? content.slice(1) : content
  if (before.ends.every((end) => end === '')) return { ...before, ...splitLines(text) }
  const most = dominantEnd(before.ends)
  // Elsewhere a lone CR is content, as in `splitLines`.
  const lines = text.replace(before.ends.includes('\n') || most !== '\r' ? /\r\n/g : /\r\n?/g, '\n').split('\n')
  const isOpen = lines.at(-1) !== ''
  if (!isOpen) lines.pop()
  const ends: LineEnd[] = []
  let old = 0
  for (const { kind } of editsOf(before.lines, lines)) {
    if (kind !== '-') ends.push(kind === ' ' ? before.ends[old] || most : most)
    if (kind !== '+') old++
  }
  if (isOpen) ends[ends.length - 1] = ''
  return { ...before, lines, ends }
}

/** The patch that undoes `patch`. A rename goes back, a creation becomes a deletion. */
export function reverse(patch: FilePatch): FilePatch {
  const { kind, oldPath, newPath, mode, oldMode, oldBlob, newBlob } = patch
  return {
    kind: kind === 'create' ? 'delete' : kind === 'delete' ? 'create' : kind,
    oldPath: newPath,
    newPath: oldPath,
    ...(oldMode === undefined ? {} : { mode: oldMode }),
    ...(mode === undefined ? {} : { oldMode: mode }),
    ...(oldBlob === undefined || newBlob === undefined ? {} : { oldBlob: newBlob, newBlob: oldBlob }),
    hunks: patch.hunks.map(reverseHunk),
  }
}

function reverseHunk(hunk: Hunk): Hunk {
  const lines: PatchLine[] = []
  let added: PatchLine[] = []
  // Removed before added, as every diff has it.
  const flush = (): void => {
    lines.push(...added)
    added = []
  }
  for (const line of hunk.lines) {
    if (line.kind === '-') added.push({ ...line, kind: '+' })
    else if (line.kind === '+') lines.push({ ...line, kind: '-' })
    else {
      flush()
      lines.push(line)
    }
  }
  flush()
  return { ...hunk, oldStart: hunk.newStart, newStart: hunk.oldStart, lines }
}

/** What git keeps of a file's mode: whether its owner may execute it. */
export function gitMode(mode: number): FileMode {
  return (mode & 0o100) === 0 ? '100644' : '100755'
}

function modeLines(before: string | null, after: string | null, options: MakeOptions): string[] {
  if (before === null) return [`new file mode ${options.newMode ?? '100644'}`]
  if (after === null) return [`deleted file mode ${options.oldMode ?? '100644'}`]
  const { oldMode, newMode } = options
  return oldMode !== undefined && newMode !== undefined && oldMode !== newMode ? [`old mode ${oldMode}`, `new mode ${newMode}`] : []
}

function indexLine(before: string | null, after: string | null, options: MakeOptions): string {
  const [oldId, newId] = options.blobs ?? [textBlob(before), textBlob(after)]
  const isPlain = before !== null && after !== null && (options.newMode === undefined || options.newMode === options.oldMode)
  const short = (id: string | null): string => (id ?? '0'.repeat(12)).slice(0, 12)
  return `index ${short(oldId)}..${short(newId)}${isPlain ? ` ${options.oldMode ?? '100644'}` : ''}`
}

function textBlob(text: string | null): string | null {
  return text === null ? null : blobId(Buffer.from(text, 'utf8'))
}

interface Edit {
  readonly kind: ' ' | '-' | '+'
  /** In a diff with its line end, so that a lost final newline is a difference. */
  readonly text: string
}

function hunkLines(before: readonly string[], after: readonly string[], context: number): string[] {
  const edits = editsOf(before, after)
  const out: string[] = []
  let [oldLine, newLine] = [1, 1]
  for (let at = 0; at < edits.length;) {
    if (edits[at]?.kind === ' ') {
      ;[at, oldLine, newLine] = [at + 1, oldLine + 1, newLine + 1]
      continue
    }
    const from = Math.max(at - context, at - leadingContext(edits, at))
    const to = hunkEnd(edits, at, context)
    const part = edits.slice(from, to)
    const lead = at - from
    out.push(...oneHunk(part, oldLine - lead, newLine - lead))
    for (const edit of edits.slice(at, to)) {
      if (edit.kind !== '+') oldLine++
      if (edit.kind !== '-') newLine++
    }
    at = to
  }
  return out
}

function oneHunk(part: readonly Edit[], oldStart: number, newStart: number): string[] {
  const oldCount = part.filter((edit) => edit.kind !== '+').length
  const newCount = part.filter((edit) => edit.kind !== '-').length
  const lines = part.flatMap((edit) => (edit.text.endsWith('\n') ? [edit.kind + edit.text.slice(0, -1)] : [edit.kind + edit.text, NO_NEWLINE]))
  return [`@@ -${range(oldStart, oldCount)} +${range(newStart, newCount)} @@`, ...lines]
}

/** A side without lines is named by the line before it. */
function range(start: number, count: number): string {
  if (count === 0) return `${start - 1},0`
  return count === 1 ? `${start}` : `${start},${count}`
}

function leadingContext(edits: readonly Edit[], at: number): number {
  let count = 0
  while (edits[at - 1 - count]?.kind === ' ') count++
  return count
}

/** Hunks whose context would touch are one hunk. */
function hunkEnd(edits: readonly Edit[], at: number, context: number): number {
  let lastChange = at
  for (let index = at; index < edits.length && index - lastChange <= context * 2; index++) {
    if (edits[index]?.kind !== ' ') lastChange = index
  }
  return Math.min(edits.length, lastChange + 1 + context)
}

function editsOf(before: readonly string[], after: readonly string[]): Edit[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  const edit = (kind: Edit['kind'], texts: readonly string[]): Edit[] => texts.map((text) => ({ kind, text }))
  const [oldMiddle, newMiddle] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)]
  // With no line in common there is nothing to look for, and looking is slowest then.
  const changes = haveCommon(oldMiddle, newMiddle) ? diffArrays(oldMiddle, newMiddle, { maxEditLength: MAX_EDITS }) : undefined
  const middle = changes
    ? changes.flatMap((change) => edit(change.added ? '+' : change.removed ? '-' : ' ', change.value))
    : [...edit('-', oldMiddle), ...edit('+', newMiddle)]
  return [...edit(' ', before.slice(0, head)), ...removedFirst(middle), ...edit(' ', before.slice(before.length - tail))]
}

function haveCommon(before: readonly string[], after: readonly string[]): boolean {
  const lines = new Set(after)
  return before.some((line) => lines.has(line))
}

/** Within one run of changes the removed lines come first. */
function removedFirst(edits: readonly Edit[]): Edit[] {
  const out: Edit[] = []
  let added: Edit[] = []
  for (const edit of edits) {
    if (edit.kind === '+') added.push(edit)
    else if (edit.kind === '-') out.push(edit)
    else {
      out.push(...added, edit)
      added = []
    }
  }
  return [...out, ...added]
}

/** git's C quoting for names with control characters, quotes, backslashes or bytes above ASCII. */
export function quoteName(name: string): string {
  if (!/[\x00-\x1f\x7f"\\\u0080-\u{10ffff}]/u.test(name)) return name
  let out = ''
  for (const byte of Buffer.from(name, 'utf8')) {
    const char = String.fromCharCode(byte)
    if (char === '"' || char === '\\') out += `\\${char}`
    else if (byte === 10) out += '\\n'
    else if (byte === 9) out += '\\t'
    else if (byte < 32 || byte > 126) out += `\\${byte.toString(8).padStart(3, '0')}`
    else out += char
  }
  return `"${out}"`
}

/** A name with a blank is closed by a tab, as git does it. */
function tabbed(name: string): string {
  const quoted = quoteName(name)
  return quoted === name && name.includes(' ') ? `${name}\t` : quoted
}
