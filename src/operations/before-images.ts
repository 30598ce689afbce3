/**
 * Every write outside an attempt keeps what was there: the bytes under their hash, and a row that names receipt,
 * path and both states; of a link that is its target, of a directory its mode alone. `vp undo` reads them back. Bytes are kept before the write, and a note of what is about to be
 * written, so that a kill leaves the old files or the new, or what `vp doctor` makes of it.
 */
import { VpError } from '../core/errors.ts'
import { PLACEHOLDER } from '../policy/redact.ts'
import { changeBack, DIRECTORY, entryState, typeOf, type FileBytes, type FileChange, type FileWritten, type Workspace } from '../workspace/files.ts'
import { keepBlobs } from './blobs.ts'
import { openJournal } from './write-journal.ts'
import type { Scene } from './operation.ts'

/** The one way in which an operation writes files; answers those, not the directories made for them. Taken back when there is no room or no lock for the receipt. */
export async function writeFiles(scene: Scene, changes: readonly FileChange[], files: Workspace = scene.tree.files()): Promise<readonly FileWritten[]> {
  const { tree, kit } = scene
  for (const change of changes) refusePlaceholders(files, change)
  const before = new Map<string, FileBytes | null>(tree.inAttempt ? [] : changes.map(({ path }) => [path, files.look(path)]))
  keepBlobs(
    kit,
    [...before.values()].flatMap((found) => (found && typeOf(found.mode) !== DIRECTORY ? found.bytes : [])),
  )
  // A ledger that is locked or full says so before the first file is touched.
  if (!tree.inAttempt) await kit.store.transaction(async () => undefined)
  const journal = tree.inAttempt
    ? null
    : openJournal(kit, { receipt: scene.receiptId, root: tree.root, files: [...before].map(([path, found]) => ({ path, before: found && entryState(found) })) })
  if (journal) scene.onEnd.push(journal.close)
  kit.point('files.planned')
  const written = files.writeAll(changes, journal?.witness)
  kit.point('files.written')
  tree.touched({ paths: written.map(({ path }) => path), isMade: true })
  if (!tree.inAttempt) {
    scene.onReceipt.push((tx) => recordImages(tx, scene.receiptId, tree.root, written))
    scene.onNoReceipt.push(() => takeBack(files, written, before))
  }
  const told = written.filter(({ before, after }) => [before, after].some((state) => state !== null && typeOf(state.mode) !== DIRECTORY))
  scene.notes['writes'] = told.map((one) => ({
    path: one.path,
    before: one.before?.sha ?? null,
    after: one.after?.sha ?? null,
  }))
  return told
}

function takeBack(files: Workspace, written: readonly FileWritten[], before: ReadonlyMap<string, FileBytes | null>): void {
  files.writeAll(written.map((one) => changeBack(one.path, { before: one.before, bytes: before.get(one.path)?.bytes ?? null, now: one.after })))
}

/** A mask that a reader was shown instead of a secret must never become the file's content. */
function refusePlaceholders(files: Workspace, change: FileChange): void {
  const masks = placeholdersIn(change.bytes)
  if (masks.length === 0) return
  const there = new Set(files.exists(change.path) ? placeholdersIn(files.read(change.path).bytes) : [])
  if (masks.every((mask) => there.has(mask))) return
  throw new VpError(
    'patch.rejected',
    `${change.path}: a [REDACTED] placeholder stands for a value that is not shown; leave that line as it is and change others`,
    { changed: 'nothing was written' },
  )
}

function placeholdersIn(bytes: Uint8Array | null): string[] {
  const text = bytes && Buffer.from(bytes).includes('[REDACTED') ? Buffer.from(bytes).toString('utf8') : ''
  return [...text.matchAll(PLACEHOLDER)].map(([placeholder]) => placeholder)
}

export async function recordImages(
  tx: { run(sql: string, ...params: (string | number | null)[]): Promise<number> },
  receipt: string,
  root: string,
  written: readonly FileWritten[],
): Promise<void> {
  for (const one of written)
    await tx.run(
      'INSERT INTO before_images (receipt_id, path, root, before_sha, before_mode, after_sha, after_mode) VALUES (?, ?, ?, ?, ?, ?, ?)',
      receipt,
      one.path,
      root,
      one.before?.sha || null,
      one.before?.mode ?? null,
      one.after?.sha || null,
      one.after?.mode ?? null,
    )
}
