/**
 * A command in a person's own checkout, with before-images of what it writes: the tree is copied before and compared
 * after, not guessed. What vp itself wrote meanwhile is not counted to it; what a person or another program did is, since
 * nothing here tells them apart. Copies of what the command left alone are gone with it. In an attempt there is nothing to keep,
 * since its tree is thrown away.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isVpError } from '../core/errors.ts'
import { guardOf } from '../policy/paths.ts'
import { DIRECTORY, entryState, openWorkspace, typeOf, type FileBytes, type FileState, type FileWritten, type Workspace } from '../workspace/files.ts'
import { shownPath, textPath, type Survey } from '../workspace/survey.ts'
import { recordImages } from './before-images.ts'
import { keepBlob } from './blobs.ts'
import { execute, type Execution, type ExecutionRequest } from './execution.ts'
import type { Breach } from './guarded.ts'
import type { Kit } from './kit.ts'
import type { Scene } from './operation.ts'
import { makeScratch } from './scratch.ts'
import { watchWrites, type Author } from './writes-meanwhile.ts'

/** More than this is not copied; what a command then writes over cannot be given back, and is said. */
const MAX_HELD_BYTES = 512 * 1024 * 1024
/** Of what is not kept. */
const MAX_TOLD = 200
const MAX_FILE_BYTES = 64 * 1024 * 1024

export interface HeldExecution {
  readonly run: Execution
  /** As they are shown. */
  readonly writes: readonly string[]
  readonly isWhole: boolean
  /** `vp undo` gives back all of it. */
  readonly isUndoable: boolean
  /** What it wrote and may not. */
  readonly breaches: readonly Breach[]
}

export async function executeHeld(scene: Scene, request: ExecutionRequest): Promise<HeldExecution> {
  const { kit, tree, signal } = scene
  // Without the policy's names: a file that may not be written can be given back all the same.
  const files = openWorkspace(tree.root)
  let held: Held | null = null
  try {
    const onBefore = tree.inAttempt ? {} : { onBefore: (before: Survey) => void (held = holdTree(kit, files, before)) }
    const meanwhile = tree.inAttempt ? null : await watchWrites(kit, tree.root)
    const run = await execute(kit, tree, { ...request, ...onBefore }, signal)
    const { directories, isWhole, breaches } = run.settled
    const authorOf = await meanwhile?.()
    const authors = new Map([...run.settled.writes, ...directories].map((path) => [path, authorOf ? authorAt(files, path, authorOf) : 'other']))
    const writes = run.settled.writes.filter((path) => authors.get(path) !== 'own')
    if (breaches.length > 0) scene.notes['breaches'] = breaches.map(({ path, kind, outcome }) => ({ path, kind, outcome }))
    const answer = { run, writes: writes.map(shownPath), isWhole, breaches }
    if (held === null) return { ...answer, isUndoable: true }
    const kept: Held = held
    const paths = [...authors].flatMap(([path, author]) => (author === 'own' ? [] : path))
    // Where vp wrote too, what was there just before the command's own write is not known.
    const images = paths.map((path) => (authors.get(path) === 'both' ? null : imageOf(scene, files, kept, path)))
    const known = images.filter((image) => image !== null).filter(isChange)
    const lost = paths.filter((_, index) => images[index] === null)
    if (lost.length > 0) scene.notes['not_kept'] = lost.slice(0, MAX_TOLD).map(shownPath)
    if (known.length > 0) scene.onReceipt.push((tx) => recordImages(tx, scene.receiptId, tree.root, known))
    return { ...answer, isUndoable: isWhole && lost.length === 0 }
  } finally {
    ;(held as Held | null)?.release()
    files.close()
  }
}

function authorAt(files: Workspace, path: string, authorOf: (path: string, now: FileBytes | null) => Author): Author {
  const text = textPath(path)
  const now = text === null ? 'unreadable' : looked(files, text)
  return text === null || now === 'unreadable' ? 'other' : authorOf(text, now)
}

const isChange = ({ before, after }: FileWritten): boolean => before?.sha !== after?.sha || before?.mode !== after?.mode

type Kept = { readonly file: string; readonly mode: number } | 'absent' | 'not kept'

interface Held {
  get(path: string): Kept
  release(): void
}

/** Directories are copies of nothing: their mode is all that is kept of them. */
function holdTree(kit: Kit, files: Workspace, { entries }: Survey): Held {
  const directory = makeScratch(kit, 'held')
  const kept = new Map<string, Kept>()
  let left = MAX_HELD_BYTES
  for (const [path, { kind, size, mode }] of entries) {
    if (kind === 'dir') kept.set(path, { file: '', mode: DIRECTORY | (mode & 0o777) })
    else kept.set(path, 'not kept')
    const text = textPath(path)
    if (text === null || (kind !== 'file' && kind !== 'symlink') || size > MAX_FILE_BYTES || size > left || isInstalled(path)) continue
    const found = kind === 'symlink' ? looked(files, text) : readable(files, text)
    if (found === null || found === 'unreadable') continue
    left -= found.bytes.length
    const file = join(directory, String(kept.size))
    writeFileSync(file, found.bytes, { mode: 0o600 })
    kept.set(path, { file, mode: found.mode })
  }
  return { get: (path) => kept.get(path) ?? 'absent', release: () => rmSync(directory, { recursive: true, force: true }) }
}

/** Held with what else may not be written, or not at all. */
function isInstalled(path: string): boolean {
  return path.split('/').some((name) => ['dependency', 'cache', 'protected'].includes(guardOf(name) ?? ''))
}

/** What was there and what is; null where either cannot be known: a pipe, another's file, more than is copied, a name that is no text. */
function imageOf(scene: Scene, files: Workspace, held: Held, path: string): FileWritten | null {
  const was = held.get(path)
  const text = textPath(path)
  if (was === 'not kept' || text === null) return null
  const now = looked(files, text)
  if (now === 'unreadable') return null
  return { path: text, before: was === 'absent' ? null : stateOf(was, (bytes) => keepBlob(scene.kit, bytes)), after: now && entryState(now) }
}

function stateOf({ file, mode }: Exclude<Kept, string>, keep: (bytes: Buffer) => string): FileState {
  return { sha: typeOf(mode) === DIRECTORY ? '' : keep(readFileSync(file)), mode }
}

/** A file of before that has other names is somebody else's too. null: there is nothing of that name. */
function readable(files: Workspace, path: string): FileBytes | null | 'unreadable' {
  try {
    return files.exists(path) ? files.read(path, { maxBytes: MAX_FILE_BYTES }) : null
  } catch (error) {
    if (isVpError(error)) return 'unreadable'
    throw error
  }
}

function looked(files: Workspace, path: string): FileBytes | null | 'unreadable' {
  try {
    return files.look(path, { maxBytes: MAX_FILE_BYTES })
  } catch (error) {
    if (isVpError(error)) return 'unreadable'
    throw error
  }
}
