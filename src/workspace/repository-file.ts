/**
 * Files of a repository that vp takes as configuration: a clone may bring a link to a device or a pipe under any name, so what
 * is no regular file is refused before a byte is read, and no more is read than there can be of it. Built-ins only, and
 * nothing tried out first: `vp status` and `vp policy check` read so.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, realpathSync } from 'node:fs'
import { join, relative } from 'node:path'
import { readBounded, refusalError, regular } from './root.ts'

const MAX_BYTES = 1024 * 1024
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants

/** Null when nothing is there. No link is followed, of the folders neither. Throws `path.denied`, `path.not_regular`, `path.too_large`. */
export function readRepositoryFile(root: string, path: string, maxBytes = MAX_BYTES): Buffer | null {
  const names = path.split('/')
  if (!isFolderAt(root, names.slice(0, -1))) return null
  const found = entryAt(root, names)
  if (!found) return null
  if (found.isSymbolicLink()) throw refusalError('symlink', path)
  // Before it is opened: that alone is something to a device.
  regular(found, names)
  const fd = opened(root, path)
  if (fd === null) return null
  try {
    return readBounded(fd, regular(fstatSync(fd), names).size, maxBytes, path)
  } finally {
    closeSync(fd)
  }
}

/** As above, but a link that stays within the repository is followed, and what is refused is null too. */
export function readWithinRepository(root: string, path: string, maxBytes: number): Buffer | null {
  try {
    const inside = relative(realpathSync(root), realpathSync(join(root, path)))
    return readRepositoryFile(root, inside, maxBytes) // what begins with `..` is no folder of it
  } catch {
    return null
  }
}

/** What a folder of the repository holds, none when it is not there. Throws `path.denied`. */
export function namesInRepository(root: string, folder: string): readonly string[] {
  return isFolderAt(root, folder.split('/')) ? readdirSync(join(root, folder)).toSorted() : []
}

/** False when nothing is there, or something that has nothing below it. Throws `path.denied` for a link, and for a way out. */
function isFolderAt(root: string, names: readonly string[]): boolean {
  return names.every((name, index) => {
    const way = names.slice(0, index + 1)
    const found = entryAt(root, way)
    if (name === '..' || found?.isSymbolicLink()) throw refusalError(name === '..' ? 'forbidden' : 'symlink', way.join('/'))
    return found?.isDirectory() === true
  })
}

function entryAt(root: string, names: readonly string[]) {
  return tried(names, () => lstatSync(join(root, ...names), { throwIfNoEntry: false }) ?? null)
}

function opened(root: string, path: string): number | null {
  return tried(path.split('/'), () => openSync(join(root, path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY))
}

/** Null for what is not there, or not any more. */
function tried<Result>(names: readonly string[], look: () => Result): Result | null {
  try {
    return look()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw refusalError(code === 'ELOOP' ? 'symlink' : 'forbidden', names.join('/'))
  }
}
