/**
 * What vp itself keeps in a repository, below `.vp/`: written through the one door to its files, so that a `.vp` that
 * is a link leads nowhere. The policy, which protects these names from everybody else, is not asked.
 */
import { sha256 } from '../../core/json.ts'
import { openWorkspace } from '../../workspace/files.ts'

/** Throws `path.*`, `store.full`; then nothing was changed. */
export function writeOwnFile(root: string, path: `.vp/${string}`, text: string): void {
  const files = openWorkspace(root)
  try {
    const before = files.exists(path) ? sha256(files.read(path).bytes) : null
    files.writeAll([{ path, bytes: Buffer.from(text), expectSha: before }])
  } finally {
    files.close()
  }
}
