/**
 * Applies parsed patches to text. Never touches disk; all or nothing, per file here and per patch in `applyPatch`.
 * Line ends, byte-order mark, encoding and the state of the final newline survive; bytes outside hunks never change.
 */
import { createHash } from 'node:crypto'
import { indexLines } from './lines-index.ts'
import { locate, type Identity, type Located, type Place } from './locate.ts'
import { asUtf8, decode, dominantEnd, encode, fitsEncoding, isBinary, isUtf16, joinLines, splitLines, type TextFile } from './text-file.ts'
import type { FileMode, FilePatch, Found, Hunk, HunkOutcome, LineEnd, PatchLine, RejectReason } from './types.ts'

/** Line comparisons per file before the rest is rejected with `limit`; a 10 MB file needs well under a tenth. */
const WORK_LIMIT = 30_000_000

export interface TextResult {
  readonly ok: boolean
  /** The new text, null for a deleted file; the source, untouched, when `ok` is false. */
  readonly text: TextFile | null
  readonly hunks: readonly HunkOutcome[]
}

export interface FileResult {
  readonly patch: FilePatch
  readonly path: string
  readonly hunks: readonly HunkOutcome[]
}

/** What to write: `bytes` null removes the file. */
export interface FileChange {
  readonly path: string
  readonly before: Uint8Array | null
  readonly bytes: Uint8Array | null
  readonly mode?: FileMode
  /** Absent: whatever is at `path` lends its mode; else whatever is there, as of a file that gets another name. */
  readonly modeOf?: string
}

export interface PatchResult {
  /** True when every hunk is applied or was applied already. Only then are there changes. */
  readonly ok: boolean
  readonly files: readonly FileResult[]
  readonly changes: readonly FileChange[]
}

/** `read` returns the bytes of a path, or null where there is no file. Paths must have passed the policy. */
export function applyPatch(read: (path: string) => Uint8Array | null, patches: readonly FilePatch[]): PatchResult {
  const files: FileResult[] = []
  const changes: FileChange[] = []
  const touched = new Set<string>()
  for (const patch of patches) {
    const path = patch.newPath ?? patch.oldPath ?? ''
    const paths = [...new Set([patch.oldPath, patch.newPath])].filter((name) => name !== null)
    const result = paths.some((name) => touched.has(name)) ? refused('overlap') : applyToBytes(read, patch)
    for (const name of paths) touched.add(name)
    files.push({ patch, path, hunks: result.hunks })
    if (result.ok) changes.push(...result.changes)
  }
  const ok = files.every((file) => file.hunks.every((hunk) => hunk.kind !== 'rejected'))
  return { ok, files, changes: ok ? changes : [] }
}

interface BytesResult {
  readonly ok: boolean
  readonly hunks: readonly HunkOutcome[]
  readonly changes: readonly FileChange[]
}

function applyToBytes(read: (path: string) => Uint8Array | null, patch: FilePatch): BytesResult {
  const from = patch.oldPath ?? patch.newPath ?? ''
  const to = patch.newPath ?? from
  const before = read(from)
  const occupied = patch.kind === 'rename' ? read(to) : null
  if (patch.kind === 'rename' && before === null && occupied !== null) return reapplied(occupied, patch)
  if (occupied !== null) return refused('stale', 'file')
  if (before !== null && isBinary(before) && patch.hunks.length > 0) return refused('binary', isUtf16(before) ? 'utf-16' : 'other_lines')
  const decoded = before === null ? null : decode(before)
  const inPlace = patch.isBytes ? inEncodingOf(patch, decoded) : { source: decoded, own: patch }
  if (inPlace === null) return refused('encoding')
  const { source, own } = inPlace
  const result = applyToText(source, own)
  if (!result.ok) return { ok: false, hunks: result.hunks, changes: [] }
  const bytes = result.text === null ? null : result.text === source ? before : encode(result.text)
  return { ok: true, hunks: result.hunks, changes: changesOf(patch, from, to, before, bytes) }
}

/** A patch of bytes as the file reads them: an ASCII file may turn into either encoding, a new one is what its lines are. */
function inEncodingOf(patch: FilePatch, source: TextFile | null): { source: TextFile | null; own: FilePatch } | null {
  if (source?.encoding === 'latin-1') return { source, own: patch }
  const hunks = patch.hunks.map(hunkAsUtf8)
  if (hunks.every((hunk) => hunk !== null)) {
    const { isBytes: _, ...rest } = patch
    return { source, own: { ...rest, hunks } }
  }
  if (source === null) return { source, own: patch }
  const isAscii = !source.bom && source.lines.every((line) => !/[^\0-\x7f]/.test(line))
  return isAscii ? { source: { ...source, encoding: 'latin-1' }, own: patch } : null
}

function hunkAsUtf8(hunk: Hunk): Hunk | null {
  const lines: PatchLine[] = []
  for (const line of hunk.lines) {
    const text = asUtf8(line.text)
    if (text === null) return null
    lines.push({ ...line, text })
  }
  const { otherwise, shorter, unread } = hunk
  const others = (otherwise ?? []).map(hunkAsUtf8).filter((one) => one !== null)
  const short = shorter === undefined ? null : hunkAsUtf8(shorter)
  return {
    ...hunk,
    lines,
    ...(unread === undefined ? {} : { unread: unread.map((text) => asUtf8(text) ?? text) }),
    ...(otherwise === undefined ? {} : { otherwise: others }),
    ...(short === null ? {} : { shorter: short }),
  }
}

function changesOf(patch: FilePatch, from: string, to: string, before: Uint8Array | null, bytes: Uint8Array | null): FileChange[] {
  const mode = patch.mode === undefined ? {} : { mode: patch.mode }
  if (patch.kind === 'rename')
    return [
      { path: from, before, bytes: null },
      { path: to, before: null, bytes, modeOf: from, ...mode },
    ]
  const isSame = before !== null && bytes !== null && Buffer.compare(before, bytes) === 0
  if ((isSame && patch.mode === undefined) || (before === null && bytes === null)) return []
  return [{ path: to, before, bytes, ...mode }]
}

/** A rename whose new name stands and whose old one is gone: done before if the hunks are in it. Without any, it may be another file. */
function reapplied(bytes: Uint8Array, patch: FilePatch): BytesResult {
  if (patch.hunks.length === 0) return refused('not_found', 'no_file')
  const { hunks } = applyToText(decode(bytes), patch)
  const isDone = hunks.every((hunk) => hunk.kind === 'already_applied')
  const stale = refused('stale', 'other_lines')
  return isDone ? { ok: true, hunks, changes: [] } : { ...stale, hunks: hunks.length > 0 ? hunks.map(asStale) : stale.hunks }
}

function asStale(hunk: HunkOutcome): HunkOutcome {
  return hunk.kind === 'applied' ? { kind: 'rejected', reason: 'stale', found: 'other_lines' } : hunk
}

function refused(reason: RejectReason, found?: Found): BytesResult {
  return { ok: false, hunks: [rejection(reason, found)], changes: [] }
}

/** All hunks of one file, each placed in the file before the patch. `source` null: there is no such file. */
export function applyToText(source: TextFile | null, patch: FilePatch): TextResult {
  if (patch.kind === 'create') return applyCreate(source, patch)
  // Of a file that is to go too: whether it ever stood here cannot be known.
  if (source === null) return rejectAll(null, patch, 'not_found', 'no_file')
  if (patch.kind === 'delete' && patch.hunks.length === 0) {
    return patch.wholeFile || source.lines.length === 0 ? { ok: true, text: null, hunks: [] } : rejectAll(source, patch, 'stale', 'other_lines')
  }
  let known: Identity | undefined
  const identity = (): Identity => (known ??= identify(source, patch))
  const { hunks, located } = locateAll(source, patch, identity)
  const outcomes = markOverlaps(hunks, located)
  if (outcomes.some((outcome) => outcome.kind === 'rejected')) return { ok: false, text: source, hunks: outcomes }
  const placed = placedOf({ hunks, located })
  if (placed.length === 0 && patch.kind !== 'delete') return { ok: true, text: source, hunks: outcomes }
  if (identity() === 'after') return { ok: true, text: source, hunks: located.map((place) => ({ kind: 'already_applied', line: lineOf(place) })) }
  if (placed.some(({ hunk }) => hunk.lines.some((line) => line.kind === '+' && !fitsEncoding(line.text, source.encoding)))) {
    return rejectAll(source, patch, 'encoding')
  }
  const text = rebuild(source, placed)
  if (patch.kind !== 'delete') {
    const again = patch.kind === 'rename' || identity() === 'before' ? [] : placedAgain(text, patch)
    if (again.length === 0) return { ok: true, text, hunks: outcomes }
    return { ok: false, text: source, hunks: outcomes.map((one, at) => (again.includes(at) ? { kind: 'rejected', reason: 'ambiguous' } : one)) }
  }
  return text.lines.length === 0 ? { ok: true, text: null, hunks: outcomes } : rejectAll(source, patch, 'stale', 'other_lines')
}

function applyCreate(source: TextFile | null, patch: FilePatch): TextResult {
  const lines = patch.hunks.flatMap((hunk) => hunk.lines)
  const encoding = patch.isBytes ? 'latin-1' : 'utf-8'
  if (lines.some((line) => !fitsEncoding(line.text, encoding))) return rejectAll(source, patch, 'encoding')
  // A byte-order mark at the start of the first line is the file's, not the line's.
  const bom = lines[0]?.text.startsWith('\uFEFF') === true
  const texts = lines.map((line, at) => (bom && at === 0 ? line.text.slice(1) : line.text))
  const made: TextFile = {
    encoding,
    bom,
    ...splitLines(texts.map((text, at) => text + (lines[at]?.end ?? '')).join('')),
  }
  if (source === null) return { ok: true, text: made, hunks: patch.hunks.map(() => ({ kind: 'applied', line: 1, drift: 0 })) }
  const isSame = encode(source).equals(encode(made))
  return isSame ? { ok: true, text: source, hunks: patch.hunks.map(() => ({ kind: 'already_applied', line: 1 })) } : rejectAll(source, patch, 'stale', 'file')
}

function rejectAll(source: TextFile | null, patch: FilePatch, reason: RejectReason, found?: Found): TextResult {
  const count = Math.max(patch.hunks.length, 1)
  return { ok: false, text: source, hunks: Array.from({ length: count }, () => rejection(reason, found)) }
}

function rejection(reason: RejectReason, found?: Found): HunkOutcome {
  return { kind: 'rejected', reason, ...(found === undefined ? {} : { found }) }
}

/**
 * The hunks that would change the result once more (of a rename there is no second): nothing told a second sending from the first, so the first, for
 * all that is known, may be the second.
 */
function placedAgain(text: TextFile, patch: FilePatch): number[] {
  const found = locateAll(text, patch, () => 'unknown')
  if (markOverlaps(found.hunks, found.located).some((outcome) => outcome.kind === 'rejected')) return []
  if (joinLines(rebuild(text, placedOf(found))) === joinLines(text)) return []
  return found.located.flatMap((place, at) => (place.kind === 'place' ? [at] : []))
}

function placedOf({ hunks, located }: LocatedHunks): { hunk: Hunk; at: number }[] {
  return hunks.flatMap((hunk, at) => (located[at]?.kind === 'place' ? [{ hunk, at: located[at].at }] : []))
}

interface LocatedHunks {
  /** Of each hunk the reading that is meant, in terms of the file's lines. */
  readonly hunks: readonly Hunk[]
  readonly located: readonly Located[]
}

function locateAll(source: TextFile, patch: FilePatch, identity: () => Identity): LocatedHunks {
  const isCr = source.ends.includes('\r')
  const readings = patch.hunks.map((hunk) => [hunk, ...(hunk.otherwise ?? [])].map((one) => normalise(one, source.bom, isCr)))
  const budget = { left: WORK_LIMIT }
  const texts = readings.flatMap((some) => some.flatMap((hunk) => hunk.lines.map((line) => line.text)))
  const doubted = readings.flatMap((some) => some.flatMap((hunk) => [...(hunk.unread ?? []), ...(hunk.shorter?.unread ?? [])]))
  const index = indexLines(source, { texts, doubted }, budget)
  const trusted = trustedStarts(readings.flatMap(([hunk]) => hunk ?? []))
  const found = readings.map((some) => {
    const all = some.map((hunk): ReadHunk => {
      const place: Located = budget.left > 0 ? locate(index, hunk, trusted.has(hunk), identity) : LIMIT
      return { hunk, place: budget.left > 0 ? place : LIMIT }
    })
    const { hunk, place } = shortened(meant(all), (one) => locate(index, one, false, identity))
    return { hunk: place.kind === 'place' ? (place.hunk ?? hunk) : hunk, place }
  })
  const isFresh = found.some(({ place }) => place.kind === 'place')
  return {
    hunks: found.map(({ hunk }) => hunk),
    located: found.map(({ place }) => (isFresh && place.kind === 'already_applied' && place.isInDoubt ? DOUBT : place)),
  }
}

/** Beside a hunk that is new to the file: this one may be as well. */
const DOUBT: Located = { kind: 'rejected', reason: 'ambiguous' }

interface ReadHunk {
  readonly hunk: Hunk
  readonly place: Located
}

const LIMIT: Located = { kind: 'rejected', reason: 'limit' }

/** Of several readings the only one that fits in one place; where none does, what became of the first. */
function meant(readings: readonly ReadHunk[]): ReadHunk {
  const [first] = readings
  if (first === undefined) throw new TypeError('a hunk has a reading')
  const fitting = readings.filter(({ place }) => place.kind !== 'rejected' || place.reason === 'limit')
  if (fitting.length <= 1) return fitting[0] ?? first
  return { hunk: first.hunk, place: { kind: 'rejected', reason: 'ambiguous', readings: fitting.length } }
}

/** Where the whole does not fit, the reading without what may be prose. */
function shortened(whole: ReadHunk, locateIn: (hunk: Hunk) => Located): ReadHunk {
  const { shorter } = whole.hunk
  if (shorter === undefined || whole.place.kind !== 'rejected' || whole.place.reason !== 'not_found') return whole
  const place = locateIn(shorter)
  return place.kind === 'rejected' && place.reason === 'not_found' ? whole : { hunk: shorter, place }
}

/** Hunks whose two starts differ by what the hunks above them add. Made-up numbers rarely do. */
function trustedStarts(hunks: readonly Hunk[]): Set<Hunk> {
  const trusted = new Set<Hunk>()
  let delta = 0
  for (const hunk of hunks.toSorted((a, b) => (a.oldStart ?? 0) - (b.oldStart ?? 0))) {
    const removed = hunk.lines.filter((line) => line.kind !== '+').length
    const added = hunk.lines.filter((line) => line.kind !== '-').length
    if (hunk.oldStart === null) continue
    // A side without lines is named by the line before it.
    const [from, to] = [hunk.oldStart + (removed === 0 ? 1 : 0), (hunk.newStart ?? 0) + (added === 0 ? 1 : 0)]
    if (hunk.newStart === null || to - from === delta) trusted.add(hunk)
    delta += added - removed
  }
  return trusted
}

/** Whether the file is the one before or after the patch, by git's blob id. Source: git-hash-object(1). */
function identify(source: TextFile, patch: FilePatch): Identity {
  const { oldBlob, newBlob } = patch
  if (oldBlob === undefined || newBlob === undefined || oldBlob === newBlob) return 'unknown'
  const id = blobId(encode(source))
  if (id.startsWith(oldBlob)) return 'before'
  return id.startsWith(newBlob) ? 'after' : 'unknown'
}

export function blobId(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** The part of the file that a hunk changes, its outer context aside. */
function changedRange(hunk: Hunk, at: number): [from: number, to: number] {
  const lead = hunk.lines.findIndex((line) => line.kind !== ' ')
  const trail = hunk.lines.length - 1 - hunk.lines.findLastIndex((line) => line.kind !== ' ')
  const before = hunk.lines.reduce((count, line) => count + (line.kind === '+' ? 0 : 1), 0)
  return [at + lead, at + before - trail]
}

function markOverlaps(hunks: readonly Hunk[], located: readonly Located[]): HunkOutcome[] {
  const ranges = located.flatMap((place, index) => {
    const hunk = hunks[index]
    if (hunk === undefined || place.kind === 'rejected') return []
    // What stands there already is somebody's result: a hunk that would change it again was meant for another place.
    return place.kind === 'place'
      ? [{ index, isNew: true, range: changedRange(hunk, place.at) }]
      : [{ index, isNew: false, range: changedRange(reversed(hunk), place.line - 1) }]
  })
  const sorted = ranges.toSorted((a, b) => a.range[0] - b.range[0] || a.range[1] - b.range[1] || a.index - b.index)
  const overlapping = new Set<number>()
  let previous: (typeof sorted)[number] | undefined
  for (const current of sorted) {
    // Two insertions at one place overlap as well: their order would be a guess.
    const isInside = previous !== undefined && current.range[0] < previous.range[1]
    const isTwin = previous !== undefined && current.range[0] === previous.range[0] && current.range[1] === previous.range[1]
    const isEdit = previous !== undefined && (current.isNew || previous.isNew)
    if (isEdit && (isInside || isTwin)) {
      overlapping.add(current.isNew ? current.index : (previous?.index ?? current.index))
      if (!current.isNew) previous = current
    } else if (!isInside) previous = current
  }
  return located.map((place, index) => (overlapping.has(index) ? { kind: 'rejected', reason: 'overlap' } : outcomeOf(place)))
}

function reversed(hunk: Hunk): Hunk {
  const kinds = { '+': '-', '-': '+', ' ': ' ' } as const
  return { ...hunk, lines: hunk.lines.map((line) => ({ ...line, kind: kinds[line.kind] })) }
}

function outcomeOf(place: Located): HunkOutcome {
  return place.kind === 'place' ? appliedAt(place) : place
}

function lineOf(place: Located): number {
  return place.kind === 'place' ? place.at + 1 : place.kind === 'already_applied' ? place.line : 1
}

function appliedAt(place: Place): HunkOutcome {
  return { kind: 'applied', line: place.at + 1, drift: place.drift, ...(place.aside === undefined ? {} : { aside: place.aside }) }
}

/** The hunk in terms of the file's lines: its byte-order mark is not content, and CR alone may end lines. */
function normalise(hunk: Hunk, hasMark: boolean, isCr: boolean): Hunk {
  const shorter = hunk.shorter === undefined ? {} : { shorter: normalise(hunk.shorter, hasMark, isCr) }
  const plain = { ...hunk, ...shorter, lines: hasMark ? hunk.lines.map(dropMark) : hunk.lines }
  return isCr ? expandCr(plain) : plain
}

function dropMark(line: PatchLine): PatchLine {
  return line.text.startsWith('\uFEFF') ? { ...line, text: line.text.slice(1) } : line
}

/** In a file with CR ends a diff line made by git holds many lines. */
function expandCr(hunk: Hunk): Hunk {
  if (!hunk.lines.some((line) => line.text.includes('\r'))) return hunk
  const lines = hunk.lines.flatMap((line): PatchLine[] => {
    const split = splitLines(line.text)
    if (split.lines.length === 0) return [line]
    return split.lines.map((text, at) => ({
      kind: line.kind,
      text,
      end: split.ends[at] === '' ? line.end : (split.ends[at] ?? '\r'),
    }))
  })
  return { ...hunk, lines }
}

function rebuild(source: TextFile, placed: readonly { hunk: Hunk; at: number }[]): TextFile {
  const lines: string[] = []
  const ends: LineEnd[] = []
  const usual = dominantEnd(source.ends)
  let cursor = 0
  const copy = (to: number): void => {
    for (; cursor < to; cursor++) {
      lines.push(source.lines[cursor] ?? '')
      ends.push(source.ends[cursor] ?? usual)
    }
  }
  let isFinalEndStated = false
  const order = placed
    .map((item) => ({ ...item, range: changedRange(item.hunk, item.at) }))
    .toSorted((a, b) => a.range[0] - b.range[0] || a.range[1] - b.range[1])
  for (const { hunk, at, range } of order) {
    const believed = believedEnds(source, hunk, at)
    if ((believed === 'all' || believed === 'final') && range[1] >= source.lines.length) isFinalEndStated = true
    copy(range[0])
    let position = at
    for (const line of hunk.lines) {
      const isInside = position >= range[0] && (position < range[1] || line.kind === '+')
      if (line.kind === '+') {
        lines.push(line.text)
        ends.push(isBelieved(believed, line.end) ? line.end : neighbourEnd(source, position, usual))
        continue
      }
      if (line.kind === '-') cursor = position + 1
      else if (isInside) copy(position + 1)
      position++
    }
  }
  copy(source.lines.length)
  return { ...source, lines, ends: closeEnds(source, ends, usual, isFinalEndStated) }
}

/** Only the last line may lack its end; where the patch did not speak of it, the file's own state is kept. */
function closeEnds(source: TextFile, ends: LineEnd[], usual: LineEnd, isFinalEndStated: boolean): LineEnd[] {
  const closed = ends.map((end, at) => (end === '' && at < ends.length - 1 ? usual : end))
  if (isFinalEndStated || source.ends.length === 0 || closed.length === 0) return closed
  const had = source.ends.at(-1) ?? ''
  const has = closed.at(-1) ?? ''
  if (had === '') closed[closed.length - 1] = ''
  else if (has === '') closed[closed.length - 1] = usual
  return closed
}

/** What a hunk's line ends are good for: all of them, all but the file's last, whether the last has one, or nothing. */
type Believed = 'all' | 'inner' | 'final' | 'none'

/**
 * The patch's own line ends count where all its old lines carry the ends that the file has there, be it but for a
 * final newline that the file lacks; what it says of one counts already where they agree in which lines have an end.
 */
function believedEnds(source: TextFile, hunk: Hunk, at: number): Believed {
  const old = hunk.lines.filter((line) => line.kind !== '+')
  if (old.length === 0) return source.lines.length === 0 ? 'all' : 'none'
  const agree = (same: (stated: LineEnd, found: LineEnd | undefined) => boolean) => old.every((line, offset) => same(line.end, source.ends[at + offset]))
  if (agree((stated, found) => stated === found)) return 'all'
  if (agree((stated, found) => stated === found || (found === '' && old.length > 1))) return 'inner'
  return agree((stated, found) => found !== undefined && (stated === '') === (found === '')) ? 'final' : 'none'
}

function isBelieved(believed: Believed, end: LineEnd): boolean {
  if (believed === 'all') return true
  return end === '' ? believed === 'final' : believed === 'inner'
}

function neighbourEnd(source: TextFile, position: number, usual: LineEnd): LineEnd {
  const before = source.ends[position - 1]
  if (before !== undefined && before !== '') return before
  const after = source.ends[position]
  return after !== undefined && after !== '' ? after : usual
}
