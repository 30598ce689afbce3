/**
 * What lies in the directory of an attempt and is not what was recorded of it: files that git ignores, empty folders, bytes that
 * git turns into others. Whatever is measured beside them is no measure of the commit. Only paths that something has written since the
 * checkout are looked at, so that it costs nothing where nothing was.
 */
import { lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { blobId, type Objects } from '../../workspace/objects.ts'
import { entryAt, hasFolder } from '../../workspace/tree-objects.ts'

/** How many of them are named. */
const MAX_NAMED = 100

export interface Recorded {
  readonly root: string
  readonly objects: Objects
  readonly format: 'sha1' | 'sha256'
  /** Tree as recorded. */
  readonly tree: string
}

/** The first `most` that are found, in path order. */
export async function straysOf(recorded: Recorded, written: Iterable<string>, most = MAX_NAMED): Promise<string[]> {
  const strays: string[] = []
  for (const path of written) {
    if (await isStray(recorded, path)) strays.push(path)
    if (strays.length >= most) break
  }
  return strays.toSorted()
}

async function isStray({ root, objects, format, tree }: Recorded, path: string): Promise<boolean> {
  const at = join(root, path)
  try {
    const found = lstatSync(at)
    if (found.isDirectory()) return !(await hasFolder(objects, tree, path))
    const entry = await entryAt(objects, tree, path)
    if (!entry) return true
    if (found.isSymbolicLink()) return blobId(format, Buffer.from(readlinkSync(at, 'buffer'))) !== entry.id
    return !found.isFile() || blobId(format, readFileSync(at)) !== entry.id
  } catch (error) {
    // Gone, or its folder became a file. What cannot be looked at otherwise is not known to be as recorded.
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}
