/**
 * What the reading and the writing side of a workspace share: opening below the root with typed refusals, bounded
 * reads, and whether a name is taken. Decides nothing about policy.
 */
import { closeSync, constants, lstatSync, readdirSync, readSync, type Stats } from 'node:fs'
import { VpError } from '../core/errors.ts'
import { O_PATH, type Opener, type Refusal } from './open-beneath.ts'
import { quote } from './path-rules.ts'

const { O_DIRECTORY } = constants

/** What the parts of a workspace share. `names` never hold `.`, `..` or an empty string. */
export interface Root {
  /** Throws `workspace.moved` when the root's path no longer names the directory that was opened. */
  fd(): number
  readonly opener: Opener
  check(path: unknown, intent: 'read' | 'write', options?: { readonly allowRoot?: boolean }): readonly string[]
}

/** A descriptor the caller closes. Throws the refusal as a typed error. */
export function openIn(root: Root, names: readonly string[], flags: number): number {
  const result = root.opener.open(root.fd(), names, flags)
  if ('fd' in result) return result.fd
  throw refusalError(result.refused, result.at)
}

export function refusalError(refused: Refusal, at: string): VpError {
  const where = quote(at)
  const says: Record<Refusal, () => VpError> = {
    absent: () => new VpError('path.not_found', `${where} does not exist`),
    symlink: () => new VpError('path.denied', `${where} is a symlink; vp does not follow symlinks`, { rule: 'no-symlinks' }),
    not_directory: () => new VpError('path.not_found', `${where} is not a directory`),
    special: () => new VpError('path.not_regular', `${where} is not a regular file`),
    forbidden: () => new VpError('path.denied', `${where} may not be opened by this user`),
    mount: () =>
      new VpError('path.denied', `${where} is on something that is mounted inside the workspace; vp does not cross mount points`, { rule: 'no-mounts' }),
    moving: () => new VpError('path.denied', `${where} kept changing while it was opened`),
  }
  return says[refused]()
}

export function regular(found: Stats, names: readonly string[]): Stats {
  if (!found.isFile()) throw new VpError('path.not_regular', `${quote(names.join('/'))} is ${found.isDirectory() ? 'a directory' : 'not a regular file'}`)
  return found
}

/** Reads to the end, also of a file that grows meanwhile, but never more than the cap and a byte. */
export function readBounded(fd: number, size: number, maxBytes: number, path: string): Buffer {
  const tooLarge = () => new VpError('path.too_large', `${quote(path)} is larger than ${maxBytes} bytes`, { data: { max_bytes: maxBytes } })
  if (size > maxBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let total = 0
  for (;;) {
    const chunk = Buffer.allocUnsafe(total === 0 ? size + 1 : 65_536)
    const got = readSync(fd, chunk, 0, chunk.length, null)
    if (got === 0) break
    total += got
    if (total > maxBytes) throw tooLarge()
    chunks.push(chunk.subarray(0, got))
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
}

/** Absence is never taken from an errno alone, which a missing /proc gives too. */
export function isPresent(root: Root, names: readonly string[]): boolean {
  const parent = names.slice(0, -1)
  const name = names.at(-1)
  if (name === undefined) return true
  const result = root.opener.open(root.fd(), parent, O_PATH | O_DIRECTORY)
  if ('refused' in result) {
    if (result.refused === 'absent' && !isPresent(root, parent)) return false
    if (result.refused === 'not_directory') return false
    throw refusalError(result.refused, result.at)
  }
  try {
    return hasEntry(root.opener, result.fd, name)
  } finally {
    closeSync(result.fd)
  }
}

/** Whether `names` is a directory that can be entered. What stands there instead, a link too, has nothing below it. */
export function isDirectoryAt(root: Root, names: readonly string[]): boolean {
  const result = root.opener.open(root.fd(), names, O_PATH | O_DIRECTORY)
  if ('fd' in result) closeSync(result.fd)
  else if (!['absent', 'not_directory', 'symlink'].includes(result.refused)) throw refusalError(result.refused, result.at)
  return 'fd' in result
}

/** By its name where that can be asked, so that a thousand files of one directory do not read it a thousand times; else by its entries. */
function hasEntry({ childPath }: Opener, dirFd: number, name: string): boolean {
  try {
    if (lstatSync(childPath(dirFd, name), { throwIfNoEntry: false })) return true
    if (lstatSync(childPath(dirFd, '.'), { throwIfNoEntry: false })) return false
  } catch {
    // A directory that may be read and not entered, a name that is too long.
  }
  return readdirSync(childPath(dirFd, '.')).includes(name)
}
