/**
 * What an undo can give back: each entry of a change held against what stands there now. What changed since stays, and
 * so does what depends on it. Reads, changes nothing.
 */
import { accessSync, constants, lstatSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isVpError } from '../../core/errors.ts'
import { DIRECTORY, entryState, typeOf, type FileBytes, type FileState, type Workspace } from '../../workspace/files.ts'

export interface Image {
  readonly path: string
  readonly before: FileState | null
  readonly after: FileState | null
}

type Verdict = 'restore' | 'unchanged' | { readonly refused: string }

export interface Planned {
  readonly row: Image
  readonly verdict: Verdict
  /** null also where it cannot be looked at. */
  readonly now: FileBytes | null
}

const MAX_BYTES = 1024 * 1024 * 1024

const isDirectory = (state: Pick<FileState, 'mode'> | null): boolean => state !== null && typeOf(state.mode) === DIRECTORY

/** In the order of `rows`. */
export function planUndo(workspace: Workspace, rows: readonly Image[]): Planned[] {
  let planned = rows.map((row) => judge(workspace, row))
  // One that stays may be in another's way.
  for (;;) {
    const going = new Set(planned.flatMap(({ row, verdict, now }) => (verdict === 'restore' && now !== null && isReplaced(row) ? row.path : [])))
    const lost = new Map(planned.flatMap(({ row, verdict }) => (typeof verdict === 'object' && isRemoval(row) ? [[row.before?.sha, row.path]] : [])))
    const next = planned.map((one) => heldUp(workspace, { going, lost }, one))
    if (next.every((one, index) => one === planned[index])) return next
    planned = next
  }
}

/** A directory by itself is told by what is in it. */
export function isShown({ row: { before, after } }: Planned): boolean {
  return [before, after].some((state) => state !== null && !isDirectory(state))
}

function judge(workspace: Workspace, row: Image): Planned {
  const now = looked(workspace, row.path)
  if (now !== null && 'refused' in now) return { row, now: null, verdict: now }
  const state = now && entryState(now)
  if (isSame(state, row.before) && (isDirectory(row.before) || isModeOf(state, row.before))) return { row, now, verdict: 'unchanged' }
  return { row, now, verdict: isSame(state, row.after) ? 'restore' : { refused: 'changed since' } }
}

function isSame(a: FileState | null, b: FileState | null): boolean {
  return a?.sha === b?.sha && (a === null || b === null || typeOf(a.mode) === typeOf(b.mode))
}

function isModeOf(a: FileState | null, b: FileState | null): boolean {
  return ((a?.mode ?? 0) & 0o777) === ((b?.mode ?? 0) & 0o777)
}

function looked(workspace: Workspace, path: string): FileBytes | null | { readonly refused: string } {
  try {
    return workspace.look(path, { maxBytes: MAX_BYTES })
  } catch (error) {
    if (isVpError(error)) return { refused: error.message }
    throw error
  }
}

interface Others {
  /** Paths of which nothing stays. */
  readonly going: ReadonlySet<string>
  /** Content that its removed path does not get back, to that path. */
  readonly lost: ReadonlyMap<string | undefined, string>
}

function heldUp(workspace: Workspace, { going, lost }: Others, one: Planned): Planned {
  if (one.verdict !== 'restore') return one
  const why = whyStuck(workspace, one.row.path, going) ?? whyFull(workspace, one, going) ?? whyLast(one.row, lost)
  return why === null ? one : { ...one, verdict: { refused: why } }
}

function isRemoval({ before, after }: Image): boolean {
  return after === null && before !== null && !isDirectory(before)
}

/** A renamed file goes only when the one that it was comes back: else its content would stand nowhere. */
function whyLast({ before, after }: Image, lost: Others['lost']): string | null {
  const from = before === null && after !== null && !isDirectory(after) ? lost.get(after.sha) : undefined
  return from === undefined ? null : `it has the content of ${from}, which cannot be given back`
}

/** Nothing of its kind stays under that name. */
function isReplaced({ before, after }: Image): boolean {
  return before === null || isDirectory(before) !== isDirectory(after)
}

/** What stands against writing there, known before the first file is touched: one file holds up no other. */
function whyStuck(workspace: Workspace, path: string, going: ReadonlySet<string>): string | null {
  try {
    workspace.requireWritable(path, (above) => going.has(above))
    const folder = dirname(join(workspace.root, path))
    if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) accessSync(folder, constants.W_OK)
    return null
  } catch (error) {
    if (isVpError(error)) return error.message
    const { code } = error as NodeJS.ErrnoException
    // Below what is a file now: a directory comes there first.
    return code === 'ENOTDIR' ? null : `this user may not write there (${code})`
  }
}

/** A directory makes room for a file when all that is in it goes. */
function whyFull(workspace: Workspace, { row, now }: Planned, going: ReadonlySet<string>): string | null {
  if (row.before === null || isDirectory(row.before) || !isDirectory(now)) return null
  const other = workspace.list(row.path, { depth: 64, maxEntries: 10_000 }).find(({ path }) => !going.has(path))
  return other ? `it is a directory now, and ${other.path} in it stays` : null
}
