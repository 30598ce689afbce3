/**
 * Whether somebody took what a cut write left for their own: a commit made since has it, or a receipt of a later
 * write. Then it is not taken back.
 */
import { isVpError } from '../core/errors.ts'
import { entryState, type FileBytes } from '../workspace/files.ts'
import { humanState, openHumanRepository } from '../workspace/human-repository.ts'
import { blobId } from '../workspace/objects.ts'
import { entryAt } from '../workspace/tree-objects.ts'
import type { Kit } from './kit.ts'

interface CutWrite {
  readonly receipt: string
  readonly root: string
  /** Milliseconds since the epoch. */
  readonly began: number
}

/** `found` is what is there now; null for nothing. */
export type IsKept = (path: string, found: FileBytes | null) => Promise<boolean>

export async function isKeptSince(kit: Kit, write: CutWrite): Promise<IsKept> {
  const isCommitted = await committedSince(kit, write)
  return async (path, found) => (await isCommitted(path, found)) || (await isReceipted(kit, write, { path, sha: found && entryState(found).sha }))
}

/** Ids of receipts grow with time. */
async function isReceipted(kit: Kit, { receipt, root }: CutWrite, { path, sha }: { readonly path: string; readonly sha: string | null }): Promise<boolean> {
  const sql = 'SELECT after_sha FROM before_images WHERE root = ? AND path = ? AND receipt_id > ? ORDER BY receipt_id DESC LIMIT 1'
  const last = await kit.store.read((tx) => tx.get<{ after_sha: string | null }>(sql, root, path, receipt))
  return last !== undefined && last.after_sha === sha
}

/** By bytes: a file that git turned into others on its way into the commit is not found there, and is then as it was before. */
async function committedSince(kit: Kit, { root, began }: CutWrite): Promise<IsKept> {
  try {
    const repository = await openHumanRepository(kit.git, root, kit.paths.views)
    const { head } = await humanState(kit.git, repository)
    if (head === null) return async () => false
    const objects = kit.git.objects(repository.view)
    const commit = (await objects.read(head)).body.toString('utf8')
    const seconds = Number(/^committer .*> (\d+) /m.exec(commit)?.[1] ?? 0)
    if (seconds < Math.floor(began / 1000)) return async () => false
    return async (path, found) => {
      const entry = await entryAt(objects, head, path)
      return found === null ? !entry : entry?.id === blobId(repository.objectFormat, found.bytes)
    }
  } catch (error) {
    // No repository, or one that vp does not read: then no commit of it is known.
    if (isVpError(error)) return async () => false
    throw error
  }
}
