/**
 * The sha256 of a large file, kept in the store by its path, size and times: a start does not read gigabytes again. A file that
 * is changed while it is read is not remembered.
 */
import { statSync } from 'node:fs'
import { canonicalJson } from '../core/json.ts'
import type { Kit } from './kit.ts'

/** In hex; null where there is no such file. Throws what reading throws. */
export async function fileDigest(kit: Pick<Kit, 'store'>, file: string): Promise<string | null> {
  const before = stampOf(file)
  if (before === null) return null
  const key = `sha256/${file}`
  const row = await kit.store.read((tx) => tx.get<{ body: string }>('SELECT body FROM measurements WHERE key = ?', key))
  const known = row ? (JSON.parse(row.body) as { stamp: string; sha256: string }) : null
  if (known?.stamp === before) return known.sha256
  const { hashed } = await import('../models/pull/download.ts')
  const sha256 = (await hashed(file)).digest('hex')
  if (stampOf(file) === before)
    await kit.store.transaction((tx) =>
      tx.run(
        // Nothing that anybody proves: it has no receipt.
        "INSERT INTO measurements (key, receipt_id, body) VALUES (?, '', ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body",
        key,
        canonicalJson({ stamp: before, sha256 }),
      ),
    )
  return sha256
}

/** Changes with whatever is written: a time of modification can be set back, that of the change of it cannot. */
function stampOf(file: string): string | null {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stat?.isFile() ? `${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.ino}` : null
}
