/**
 * What vp itself wrote in a checkout while a command ran there: it is not the command's. By receipts, and by the notes of
 * writes that have none yet. Leaves out what people and other programs did meanwhile: nothing tells that apart.
 */
import { entryState, type FileBytes, type FileState } from '../workspace/files.ts'
import type { Kit } from './kit.ts'
import { openWrites } from './write-journal.ts'

/** `own`: is as vp left it. `both`: vp wrote it, and then somebody else. */
export type Author = 'own' | 'both' | 'other'

/** To be begun before the command; what it answers with is asked after it. */
export async function watchWrites(kit: Kit, root: string): Promise<() => Promise<(path: string, now: FileBytes | null) => Author>> {
  const { seq } = (await kit.store.read((tx) => tx.get<{ seq: number | null }>('SELECT MAX(seq) AS seq FROM receipts'))) ?? { seq: null }
  return async () => {
    const open = openWrites(kit, root)
    const done = await receipted(kit, root, seq ?? 0)
    return (path, now) => {
      if (now !== null && open.has(now.id)) return 'own'
      const left = done.get(path)
      if (left === undefined) return 'other'
      return isSame(left, now && entryState(now)) ? 'own' : 'both'
    }
  }
}

function isSame(a: FileState | null, b: FileState | null): boolean {
  return a?.sha === b?.sha && a?.mode === b?.mode
}

/** Path → what the last of them left there. */
async function receipted(kit: Kit, root: string, since: number): Promise<ReadonlyMap<string, FileState | null>> {
  const sql = `SELECT b.path AS path, b.after_sha AS sha, b.after_mode AS mode FROM before_images b JOIN receipts r ON r.id = b.receipt_id
    WHERE b.root = ? AND r.seq > ? ORDER BY r.seq`
  const rows = await kit.store.read((tx) => tx.all<{ path: string; sha: string | null; mode: number | null }>(sql, root, since))
  return new Map(rows.map(({ path, sha, mode }) => [path, mode === null ? null : { sha: sha ?? '', mode }]))
}
