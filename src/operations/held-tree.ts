/**
 * A command in a person's own checkout, with before-images of what it writes: the tree is copied before and compared
 * after, not guessed. Copies of what the command left alone are gone with it. In an attempt there is nothing to keep,
 * since its tree is thrown away.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isVpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import type { FileState, FileWritten } from '../workspace/files.ts'
import { recordImages } from './before-images.ts'
import { keepBlob } from './blobs.ts'
import { execute, type Execution, type ExecutionRequest } from './execution.ts'
import type { Scene } from './operation.ts'
import type { TreeScene } from './scene.ts'
import { tellWrites, treeEntries } from './written.ts'

/** More than this is not copied; what a command then writes over cannot be given back, and is said. */
const MAX_HELD_BYTES = 512 * 1024 * 1024
const MAX_FILE_BYTES = 64 * 1024 * 1024

export interface HeldExecution {
  readonly run: Execution
  readonly writes: readonly string[]
  readonly isWhole: boolean
  /** `vp undo` gives back all of it. */
  readonly isUndoable: boolean
}

/** In an attempt the writes are told only where they are `asked` for: nobody keeps them, and looking costs. */
export async function executeHeld(scene: Scene, request: ExecutionRequest, { asked = false } = {}): Promise<HeldExecution> {
  const { kit, tree, signal } = scene
  const command = () => execute(kit, tree, request, signal)
  if (tree.inAttempt) {
    const { result, writes, isWhole } = asked ? await tellWrites(tree, command) : { result: await command(), writes: [], isWhole: true }
    return { run: result, writes, isWhole, isUndoable: true }
  }
  const held = holdTree(kit.paths.state, tree)
  try {
    const { result, writes, isWhole } = await tellWrites(tree, command)
    const images = writes.map((path) => imageOf(scene, held, path))
    const known = images.filter((image) => image !== null).filter((image) => image.before?.sha !== image.after?.sha || image.before?.mode !== image.after?.mode)
    if (known.length > 0) scene.onReceipt.push((tx) => recordImages(tx, scene.receiptId, tree.root, known))
    return { run: result, writes, isWhole, isUndoable: isWhole && images.every((image) => image !== null) }
  } finally {
    held.release()
  }
}

type Kept = { readonly file: string; readonly mode: number } | 'absent' | 'not kept'

interface Held {
  get(path: string): Kept
  release(): void
}

function holdTree(state: string, tree: TreeScene): Held {
  const parent = join(state, 'tmp')
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  const directory = mkdtempSync(join(parent, 'held-'))
  const kept = new Map<string, Kept>()
  let left = MAX_HELD_BYTES
  for (const { path, kind, size } of treeEntries(tree).entries) {
    if (kind === 'dir') continue
    kept.set(path, 'not kept')
    if (kind !== 'file' || size > MAX_FILE_BYTES || size > left) continue
    const found = readable(tree, path)
    if (found === null || found === 'unreadable') continue
    left -= found.bytes.length
    const file = join(directory, String(kept.size))
    writeFileSync(file, found.bytes, { mode: 0o600 })
    kept.set(path, { file, mode: found.mode })
  }
  return { get: (path) => kept.get(path) ?? 'absent', release: () => rmSync(directory, { recursive: true, force: true }) }
}

/** What was there and what is; null where either cannot be known: a link, another's file, more than is copied. */
function imageOf(scene: Scene, held: Held, path: string): FileWritten | null {
  const before = held.get(path)
  if (before === 'not kept') return null
  const now = readable(scene.tree, path)
  if (now === 'unreadable') return null
  const after: FileState | null = now === null ? null : { sha: sha256(now.bytes), mode: now.mode }
  return { path, before: before === 'absent' ? null : { sha: keepBlob(scene.kit, readFileSync(before.file)), mode: before.mode }, after }
}

/** null: there is nothing of that name. */
function readable(tree: TreeScene, path: string): { bytes: Buffer; mode: number } | null | 'unreadable' {
  const files = tree.files()
  try {
    return files.exists(path) ? files.read(path, { maxBytes: MAX_FILE_BYTES }) : null
  } catch (error) {
    if (isVpError(error)) return 'unreadable'
    throw error
  }
}
