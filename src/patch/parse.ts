/**
 * Any text with an edit in it to `FilePatch`es: unified diffs in any state of repair, search/replace blocks, V4A.
 * Lenient in form, never in meaning: binary, links, copies and odd modes are refused, and no success is empty.
 */
import { CUT_OFF, formOf, MAX_HUNKS, opensAnother, TWO_FORMS } from './forms.ts'
import { EITHER, lacksLines, readBody, readHunkHeader, type FoundBody, type HunkHeader } from './parse-body.ts'
import { isMode, readGitNames, readMode, readName, stripPrefixes } from './parse-headers.ts'
import { parseBlocks } from './parse-blocks.ts'
import { parseV4a } from './parse-v4a.ts'
import { asUtf8 } from './text-file.ts'
import { isFileHeader, isSignature, strayKind } from './prose.ts'
import type { FileMode, FilePatch, Hunk, ParseReason, ParseResult, PatchLine } from './types.ts'

const MAX_PATCH_CHARS = 64 * 1024 * 1024

export interface ParseOptions {
  /** The file meant by hunks that come without any header. */
  readonly path?: string
  /** Of a patch whose bytes are no UTF-8: each character is a byte. */
  readonly encoding?: 'latin-1'
}

/** What the headers of one file have said so far. */
interface Draft {
  git: [string, string] | null
  /** It began with `diff --git`, also where that line can be cut in several ways. */
  isGit: boolean
  oldName: string | null | undefined
  newName: string | null | undefined
  isNew: boolean
  isDeleted: boolean
  renameFrom: string | null
  renameTo: string | null
  oldMode: FileMode | null
  mode: FileMode | null
  blobs: [string, string] | null
  /** Of a rename: how much stays, in percent. */
  similarity: number | null
  hunks: Hunk[]
  /** No hunk has begun. */
  isBare: boolean
  line: number
}

export function parsePatch(text: string, options: ParseOptions = {}): ParseResult {
  if (text.length > MAX_PATCH_CHARS) return failed('too_large', 'the patch is larger than 64 MiB', 1)
  if (text.trim() === '') return failed('empty', 'the patch is empty', 1)
  const lines = patchLines(text)
  const form = formOf(lines)
  const parsed = finish(
    form === 'v4a' ? parseV4a(lines) : form === 'blocks' ? parseBlocks(lines, options.path) : parseUnified(lines, { ...options, isOpen: isOpenEnded(text) }),
  )
  return parsed.ok && options.encoding === 'latin-1' ? { ok: true, files: parsed.files.map(asBytes) } : parsed
}

/** Names are UTF-8 where they can be: no file says otherwise of them. */
function asBytes(file: FilePatch): FilePatch {
  const name = (path: string | null): string | null => (path === null ? null : (asUtf8(path) ?? path))
  return { ...file, oldPath: name(file.oldPath), newPath: name(file.newPath), isBytes: true }
}

/** A CR at the end of every line came with the transport and says nothing; on some lines only, it is content. */
function patchLines(text: string): string[] {
  const lines = text.split(breakOf(text))
  if (lines.at(-1) === '') lines.pop()
  else if (isCrOfLastLost(lines)) lines.push(`${lines.pop() ?? ''}\r`)
  const isTransport = lines.length > 0 && lines.every((line) => line.endsWith('\r'))
  return isTransport ? lines.map((line) => line.slice(0, -1)) : lines
}

function breakOf(text: string): string {
  return text.includes('\n') ? '\n' : '\r'
}

/** Whether the text ends without a line break, as one does that was cut off or trimmed. */
function isOpenEnded(text: string): boolean {
  return !text.endsWith(breakOf(text))
}

/** The last line lost its CR with its line break: it ends as the line above does that comes in, or stays, as it does. */
function isCrOfLastLost(lines: readonly string[]): boolean {
  const last = lines.at(-1) ?? ''
  if (last.endsWith('\r')) return false
  return (
    lines
      .slice(0, -1)
      .findLast((line) => line[0] === last[0] || line.startsWith(' '))
      ?.endsWith('\r') === true
  )
}

function parseUnified(lines: readonly string[], options: ParseOptions & { readonly isOpen: boolean }): ParseResult {
  const drafts: Draft[] = []
  const open = (line: number): Draft => {
    const draft = newDraft(line)
    drafts.push(draft)
    return draft
  }
  let hunkCount = 0
  // What the lines outside of hunks would take away: it belongs to the hunk above them, else to the first.
  let unread: string[] = []
  let isFirst = true
  let isCounted = true
  for (let index = 0; index < lines.length;) {
    const line = lines[index] ?? ''
    const current = drafts.at(-1) ?? null
    if (/^diff --(?:cc|combined) |^@@@/.test(line)) return failed('malformed', 'a combined diff of a merge cannot be applied', index + 1)
    if (line.startsWith('diff --git ')) {
      Object.assign(open(index + 1), { git: readGitNames(line.slice(11).replace(/\r$/, '')), isGit: true })
      index++
    } else if (line.startsWith('--- ') && (lines[index + 1]?.startsWith('+++ ') || lines[index + 1]?.startsWith('@@'))) {
      if (isFileHeader(lines, index)) unread.push(line.slice(1))
      const target = canTakeNames(current) ? current : open(index + 1)
      target.oldName = readName(cleanName(line))
      const next = lines[index + 1] ?? ''
      if (next.startsWith('+++ ')) target.newName = readName(cleanName(next))
      index += next.startsWith('+++ ') ? 2 : 1
    } else if (line.startsWith('+++ ') && lines[index + 1]?.startsWith('@@')) {
      if (!isCounted) return failed('malformed', EITHER, index + 1)
      const target = canTakeNames(current) ? current : open(index + 1)
      target.newName = readName(cleanName(line))
      index++
    } else if (line.startsWith('@@')) {
      const target = current ?? open(index + 1)
      target.isBare = false
      const header = readHunkHeader(line.replace(/\r$/, ''))
      const body = readBody(lines, index + 1, header)
      if (!body.ok) return failed('malformed', body.message, body.line + 1)
      const isLast = body.next === lines.length
      if (isLast && isCutOff(body, header, options.isOpen)) return failed('malformed', `${CUT_OFF}, with a line break at its end`, lines.length)
      if (++hunkCount > MAX_HUNKS) return failed('too_large', `more than ${MAX_HUNKS} hunks`, index + 1)
      isCounted = body.isCounted
      const own = isFirst ? unread : []
      const isOpen = isLast && options.isOpen && lacksLines(body, header)
      const hunk = hunkOf(header, body, { patchLine: index + 1, unread: own, isOpen })
      if (hunk !== null) {
        target.hunks.push(hunk)
        unread = own
        isFirst = false
      }
      index = body.next
    } else {
      if (opensAnother('unified', line)) return failed('malformed', TWO_FORMS, index + 1)
      if (options.isOpen && index === lines.length - 1 && /^(?:@|diff(?: -.*)?)$/.test(line)) return failed('malformed', CUT_OFF, index + 1)
      const refused = current === null ? null : readExtended(current, line.replace(/\r$/, ''))
      if (refused !== null) return failed(refused, REFUSALS[refused] ?? 'not supported', index + 1)
      const stray = current === null ? 'none' : strayKind(line.replace(/\r$/, ''))
      if (stray === 'change') return failed('malformed', STRAY, index + 1)
      if (stray === 'prose' && !isSignature(lines, index)) unread.push(line.slice(1))
      index++
    }
  }
  const last = drafts.at(-1)
  if (options.isOpen && last?.isBare && isHeaderCut(last, (lines.at(-1) ?? '').replace(/\r$/, '')))
    return failed('malformed', `${CUT_OFF}, with a line break at its end`, lines.length)
  return closeDrafts(drafts, options)
}

/** Whether the text, which ends in a header and without a line break, ends within a name or the blob ids: `diff --git` names the file whole. */
function isHeaderCut({ git, newName, renameTo }: Draft, line: string): boolean {
  if (line.startsWith('index ')) return !/^index [0-9a-f]{7,64}\.\.[0-9a-f]{7,64}(?: \d{6})?$/.test(line)
  const whole = git === null ? null : stripPrefixes(git[0], git[1])[1]
  if (whole === null) return false
  if (line.startsWith('rename to ')) return renameTo !== whole
  return line.startsWith('+++ ') && newName !== null && newName !== undefined && stripPrefixes(null, newName)[1] !== whole && newName !== whole
}

const STRAY = 'a changed line stands outside of any hunk: begin each line of a hunk with a blank, - or +, also those that stay'

/**
 * Of a hunk that ends with the text. Counts are often wrong, so that they count on says nothing alone: only where the text ends without a line break in a
 * line that comes in or goes, or where no change is there at all. What comes in may be half a line, and below one that goes stands what takes its place.
 * A line that stays may end a patch without a line break, as models send it: half of one is told by the file (`isOpen` of a hunk).
 */
function isCutOff(body: FoundBody, header: HunkHeader, isOpen: boolean): boolean {
  const last = body.lines.at(-1)
  const isHalf = isOpen && (last?.kind === '-' || (last?.kind === '+' && last.end !== ''))
  return body.lines.length === 0 || ((isHalf || !isChange(body.lines)) && lacksLines(body, header))
}

/** null where nothing is changed. `unread` is filled further, here and by the lines below the hunk. */
function hunkOf(header: HunkHeader, body: FoundBody, { patchLine, unread, isOpen }: { patchLine: number; unread: string[]; isOpen: boolean }): Hunk | null {
  if (!isChange(body.lines)) return null
  const { newStart, section } = header
  const made = (lines: readonly PatchLine[], others: readonly string[]): Hunk => ({
    oldStart: insertsNowhere(header, lines) ? null : header.oldStart,
    newStart,
    lines,
    patchLine,
    unread: others,
    ...(section === undefined ? {} : { section }),
  })
  // Without counts to bear it out, `+ x` may as well be a line that stays and lost its blank.
  if (!body.isCounted) for (const { kind, text } of body.lines) if (kind !== ' ') unread.push(kind + text)
  const hunk: Hunk = { ...made(body.lines, unread), ...(isOpen ? { isOpen: true } : {}) }
  const { shorter } = body
  return shorter !== undefined && isChange(shorter.lines) ? { ...hunk, shorter: made(shorter.lines, shorter.unread) } : hunk
}

/** An insertion stands below its line only if the header says that it has no old lines; else some were lost. */
function insertsNowhere({ oldStart, oldCount }: HunkHeader, lines: readonly PatchLine[]): boolean {
  return oldStart !== 0 && oldCount !== 0 && lines.every((line) => line.kind === '+')
}

function isChange(lines: readonly PatchLine[]): boolean {
  return lines.some((line) => line.kind !== ' ')
}

const REFUSALS: Partial<Record<ParseReason, string>> = {
  binary: 'binary files are not patched',
  symlink: 'symbolic links are not made or changed by patches',
  gitlink: 'submodules are not made or changed by patches',
  mode: 'only the modes 100644 and 100755 are allowed',
  copy: 'copies are not supported: create the file instead',
}

/** git's extended header lines. Returns why the patch must be refused, or null. */
function readExtended(draft: Draft, line: string): ParseReason | null {
  if (/^(?:GIT binary patch|Binary files .* differ)/.test(line)) return 'binary'
  if (draft.hunks.length > 0) return null
  const mode = /^(new file mode|deleted file mode|old mode|new mode) (\S+)$/.exec(line)
  if (mode) {
    const value = readMode(mode[2] ?? '')
    if (!isMode(value)) return value
    if (mode[1] === 'new file mode') draft.isNew = true
    if (mode[1] === 'deleted file mode') draft.isDeleted = true
    if (mode[1] === 'old mode' || mode[1] === 'deleted file mode') draft.oldMode = value
    else draft.mode = value
    return null
  }
  const index = /^index ([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: (\d{6}))?$/.exec(line)
  if (index) {
    draft.blobs = [index[1] ?? '', index[2] ?? '']
    const value = index[3] === undefined ? null : readMode(index[3])
    return value !== null && !isMode(value) ? value : null
  }
  const similarity = /^similarity index (\d{1,3})%$/.exec(line)
  if (similarity) draft.similarity = Number(similarity[1])
  else if (line.startsWith('rename from ')) draft.renameFrom = readName(line.slice(12))
  else if (line.startsWith('rename to ')) draft.renameTo = readName(line.slice(10))
  else if (/^copy (?:from|to) /.test(line)) return 'copy'
  return null
}

function closeDrafts(drafts: readonly Draft[], options: ParseOptions): ParseResult {
  const files: FilePatch[] = []
  for (const [at, draft] of drafts.entries()) {
    if (isWithoutBody(draft, at > 0 && at === drafts.length - 1)) return failed('malformed', BARE, draft.line)
    const closed = closeDraft(draft, options)
    if (typeof closed === 'string') return failed(closed === NO_PATH ? 'no_path' : 'malformed', closed, draft.line)
    if (closed !== null) files.push(closed)
  }
  return { ok: true, files }
}

const BARE = 'this file has changes by its header, and none below it: the patch is cut off, send it again, whole'

const EMPTY_BLOBS = ['e69de29bb2d1d6434b8b29ae775ad8c2e48c5391', '473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813']

/** A header that tells of changes without a hunk: by its blob ids (git-diff(1)), by its likeness, or, of the last file, by saying nothing else. */
function isWithoutBody({ isBare, isNew, isDeleted, mode, renameTo, blobs, similarity }: Draft, isLast: boolean): boolean {
  if (!isBare || isDeleted) return false
  const isOther = blobs !== null && blobs[0] !== blobs[1] && !(isNew && EMPTY_BLOBS.some((id) => id.startsWith(blobs[1])))
  return isOther || (similarity ?? 100) < 100 || (isLast && !isNew && mode === null && renameTo === null)
}

const NO_PATH = 'the patch does not say which file it changes: put --- a/PATH and +++ b/PATH above the hunk'

function closeDraft(draft: Draft, options: ParseOptions): FilePatch | null | string {
  let [oldPath, newPath] = namesOf(draft, options)
  if (draft.renameFrom !== null && draft.renameTo !== null) [oldPath, newPath] = [draft.renameFrom, draft.renameTo]
  if (draft.isNew) oldPath = null
  if (draft.isDeleted) newPath = null
  if (oldPath === null && newPath === null) return draft.hunks.length > 0 ? NO_PATH : null
  const common = {
    hunks: draft.hunks,
    ...(draft.mode === null ? {} : { mode: draft.mode }),
    ...(draft.oldMode === null ? {} : { oldMode: draft.oldMode }),
    ...(draft.blobs === null ? {} : { oldBlob: draft.blobs[0], newBlob: draft.blobs[1] }),
  }
  if (oldPath === null) return linesOnly(draft, '+') ? { kind: 'create', oldPath, newPath, ...common } : 'a new file has only + lines'
  if (newPath === null) return linesOnly(draft, '-') ? { kind: 'delete', oldPath, newPath, ...common } : 'a deleted file has only - lines'
  if (oldPath !== newPath) {
    if (draft.renameTo !== null) return { kind: 'rename', oldPath, newPath, ...common }
    if (oldPath !== `${newPath}.orig` && oldPath !== `${newPath}~`) return 'two different names without rename headers'
    oldPath = newPath
  }
  if (draft.hunks.length === 0 && draft.mode === null) return null
  return { kind: 'modify', oldPath, newPath, ...common }
}

function namesOf(draft: Draft, options: ParseOptions): [string | null, string | null] {
  const { oldName, newName, git } = draft
  if (oldName !== undefined && newName !== undefined) return stripPrefixes(oldName, newName)
  const only = oldName ?? newName
  if (only !== undefined && only !== null) {
    const path = oldName === undefined ? stripPrefixes(null, only)[1] : stripPrefixes(only, null)[0]
    return [path, path]
  }
  if (git !== null) return stripPrefixes(git[0], git[1])
  return [options.path ?? null, options.path ?? null]
}

function linesOnly(draft: Draft, kind: '+' | '-'): boolean {
  return draft.hunks.every((hunk) => hunk.lines.every((line) => line.kind === kind))
}

/** Hunks for one file that came in several sections belong together: places are looked up in the file before the patch. */
function finish(parsed: ParseResult): ParseResult {
  if (!parsed.ok) return parsed
  const files: FilePatch[] = []
  const modified = new Map<string, { at: number; hunks: Hunk[] }>()
  for (const file of parsed.files) {
    const key = file.kind === 'modify' ? file.newPath : null
    const earlier = key === null ? undefined : modified.get(key)
    if (earlier !== undefined) {
      for (const hunk of file.hunks) earlier.hunks.push(hunk)
      const { oldBlob: _old, newBlob: _new, ...rest } = files[earlier.at] ?? file
      files[earlier.at] = { ...rest, hunks: earlier.hunks }
      continue
    }
    const hunks = [...file.hunks]
    if (key !== null) modified.set(key, { at: files.length, hunks })
    files.push({ ...file, hunks })
  }
  if (files.length === 0) return failed('no_hunks', 'no hunk found: the text holds no diff that changes anything', 1)
  return { ok: true, files }
}

function canTakeNames(draft: Draft | null): draft is Draft {
  return draft !== null && draft.hunks.length === 0 && draft.oldName === undefined && draft.newName === undefined && draft.isGit
}

function cleanName(line: string): string {
  return line.slice(4).replace(/\r$/, '')
}

function newDraft(line: number): Draft {
  return {
    git: null,
    isGit: false,
    oldName: undefined,
    newName: undefined,
    isNew: false,
    isDeleted: false,
    renameFrom: null,
    renameTo: null,
    oldMode: null,
    mode: null,
    blobs: null,
    similarity: null,
    hunks: [],
    isBare: true,
    line,
  }
}

function failed(reason: ParseReason, message: string, line: number): ParseResult {
  return { ok: false, reason, message, line }
}
