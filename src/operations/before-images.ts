/**
 * Every write outside an attempt keeps what was there: the bytes under their hash, and a row that names receipt,
 * path and both states. `vp undo` reads them back. Bytes are kept before the write, so a crash leaves one of the two.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync, existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { hex } from '../core/ids.ts'
import { PLACEHOLDER } from '../policy/redact.ts'
import type { FileChange, FileWritten, Workspace } from '../workspace/files.ts'
import type { Kit } from './kit.ts'
import type { Scene } from './operation.ts'

export function blobPath(blobs: string, sha: string): string {
  return join(blobs, sha.slice(0, 2), sha)
}

/** Content-addressed; a second time is free. Throws `store.full`. */
export function keepBlob(kit: Pick<Kit, 'paths' | 'random'>, bytes: Uint8Array): string {
  const sha = sha256(bytes)
  const path = blobPath(kit.paths.blobs, sha)
  if (existsSync(path)) return sha
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${hex(kit.random, 4)}`
  const fd = openSync(temporary, 'wx', 0o600)
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
    fsyncSync(fd)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, path)
  return sha
}

/** Throws `undo.not_found` when the bytes were collected or damaged. */
export function readBlob(kit: Pick<Kit, 'paths'>, sha: string): Buffer {
  try {
    const bytes = readFileSync(blobPath(kit.paths.blobs, sha))
    if (sha256(bytes) === sha) return bytes
  } catch {
    // said below: missing and damaged are the same to who wants it back
  }
  throw new VpError('undo.not_found', `the kept copy ${sha.slice(0, 12)} is gone or damaged`, { next: ['vp doctor'] })
}

/** The one way in which an operation writes files. Taken back when there is no room or no lock for the receipt. */
export async function writeFiles(scene: Scene, changes: readonly FileChange[]): Promise<readonly FileWritten[]> {
  const { tree, kit } = scene
  const files = tree.files()
  for (const change of changes) refusePlaceholders(files, change)
  const before = new Map<string, Uint8Array>()
  if (!tree.inAttempt)
    for (const { path } of changes) {
      if (!files.exists(path)) continue
      const { bytes } = files.read(path)
      keepBlob(kit, bytes)
      before.set(path, bytes)
    }
  // A ledger that is locked or full says so before the first file is touched.
  if (!tree.inAttempt) await kit.store.transaction(async () => undefined)
  const written = files.writeAll(changes)
  tree.touched()
  if (!tree.inAttempt) {
    scene.onReceipt.push((tx) => recordImages(tx, scene.receiptId, tree.root, written))
    scene.onNoReceipt.push(() => takeBack(files, written, before))
  }
  scene.notes['writes'] = written.map((one) => ({
    path: one.path,
    before: one.before?.sha ?? null,
    after: one.after?.sha ?? null,
  }))
  return written
}

function takeBack(files: Workspace, written: readonly FileWritten[], before: ReadonlyMap<string, Uint8Array>): void {
  files.writeAll(
    written.map((one) => ({
      path: one.path,
      bytes: before.get(one.path) ?? null,
      expectSha: one.after?.sha ?? null,
      ...(one.before ? { mode: one.before.mode } : {}),
    })),
  )
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
      one.before?.sha ?? null,
      one.before?.mode ?? null,
      one.after?.sha ?? null,
      one.after?.mode ?? null,
    )
}
