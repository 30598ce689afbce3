/**
 * The one door to the files of a workspace: reads, listings and all-or-nothing writes below one directory descriptor.
 * Never follows a symlink, never leaves the root, never opens what is not a regular file of its own. Which names are
 * protected is for the policy to say: it comes in as `deny`.
 */
import { closeSync, constants, fstatSync, lstatSync, readdirSync, statSync, type Stats } from 'node:fs'
import { VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { chooseOpener, O_PATH, type Opener } from './open-beneath.ts'
import { quote, splitPath } from './path-rules.ts'
import { isDirectoryAt, isPresent, openIn, readBounded, refusalError, regular, type Root } from './root.ts'
import {
  DIRECTORY,
  fileId,
  LINK,
  lookAt,
  sweepLeftovers,
  typeOf,
  writeAll,
  type FileChange,
  type FileState,
  type FileWritten,
  type Witness,
} from './write-all.ts'

export { DIRECTORY, LINK, typeOf }
export type { FileChange, FileState, FileWritten, Witness } from './write-all.ts'
export type EntryKind = 'file' | 'dir' | 'symlink' | 'other'

export interface Entry {
  readonly path: string
  readonly kind: EntryKind
  readonly size: number
  /** When its content, name or mode last changed; the file system's own time. */
  readonly changedMs: number
}

export interface ListOptions {
  readonly depth?: number
  readonly maxEntries: number
  /** Directories whose entries are not wanted answer false; they are listed themselves. */
  readonly enter?: (path: string) => boolean
}

export interface FileBytes {
  readonly bytes: Buffer
  readonly mode: number
  /** Which file it is, as `Witness` was told. */
  readonly id: string
}

export interface Workspace {
  readonly root: string
  /** Which carrier opens files: said by `vp doctor`. */
  readonly carrier: Opener['name']
  /** A regular file with one link. Throws `path.*`. */
  read(path: string, options?: { readonly maxBytes?: number }): FileBytes
  /**
   * What stands there whatever it is, null for nothing: a link's bytes are its target, a directory has none, a file may have
   * other names. `mode` is that of a `FileChange`. Of a pipe or the like, and where the way is refused: throws `path.*`.
   */
  look(path: string, options?: { readonly maxBytes?: number }): FileBytes | null
  /** A final symlink is described, not followed. Throws `path.*`. */
  stat(path: string): { readonly kind: EntryKind; readonly size: number; readonly mode: number }
  /** True also for a symlink; decided by the parent's entries. Throws `path.*` when the way there is refused. */
  exists(path: string): boolean
  /**
   * Throws `path.*` where `writeAll` would for the name and the folders on the way: said before anything else is tried.
   * What `isGoing` names makes room first.
   */
  requireWritable(path: string, isGoing?: (path: string) => boolean): void
  /** At most `maxEntries`, sorted by code unit; ask for one more to see whether there are more. Denied names are left out. */
  list(path: string, options: ListOptions): readonly Entry[]
  /** All or nothing. Throws `patch.stale`, `store.full`, `path.*`; then nothing was changed. */
  writeAll(changes: readonly FileChange[], witness?: Witness): readonly FileWritten[]
  /** Removes what a killed write left beside its targets in a folder. Throws `path.*`. */
  sweep(folder: string): number
  close(): void
}

export interface WorkspaceOptions {
  /** The name of the rule that refuses, or null. */
  readonly deny?: (relativePath: string, intent: 'read' | 'write') => string | null
  /** For tests: a carrier other than the self-tested one. */
  readonly opener?: Opener
}

const DEFAULT_MAX_BYTES = 16 * 1024 * 1024
const { O_RDONLY, O_DIRECTORY, O_NONBLOCK, O_NOCTTY } = constants

/** Holds `root` open until `close`. Throws `path.not_found`, `path.not_regular`, `platform.unsupported`. */
export function openWorkspace(root: string, options: WorkspaceOptions = {}): Workspace {
  const opener = options.opener ?? chooseOpener(process.platform)
  if (!opener) throw new VpError('platform.unsupported', 'files cannot be confined here: /proc is missing (on macOS: open(2) has no O_NOFOLLOW_ANY)')
  const rootFd = openRoot(opener, root)
  const born = fstatSync(rootFd)
  const parts: Root = {
    opener,
    fd() {
      const now = statSync(root, { throwIfNoEntry: false })
      if (!now || now.dev !== born.dev || now.ino !== born.ino)
        throw new VpError('workspace.moved', 'the workspace directory was replaced or moved while vp held it open')
      return rootFd
    },
    check(path, intent, { allowRoot = false } = {}) {
      const names = splitPath(path, { allowRoot })
      const rule = names.length === 0 ? null : (options.deny?.(names.join('/'), intent) ?? null)
      if (rule !== null) throw new VpError('path.denied', `${quote(names.join('/'))} may not be ${intent === 'read' ? 'read' : 'written'}: ${rule}`, { rule })
      return names
    },
  }
  return {
    root,
    carrier: opener.name,
    read: (path, { maxBytes = DEFAULT_MAX_BYTES } = {}) => readFile(parts, path, maxBytes),
    look: (path, { maxBytes = DEFAULT_MAX_BYTES } = {}) => look(parts, path, maxBytes),
    stat: (path) => statPath(parts, path),
    exists: (path) => isPresent(parts, parts.check(path, 'read', { allowRoot: true })),
    requireWritable: (path, isGoing = () => false) => requireWritable(parts, path, isGoing),
    list: (path, options) => listTree(parts, path, options),
    writeAll: (changes, witness) => writeAll(parts, changes, witness),
    sweep: (folder) => sweepLeftovers(parts, splitPath(folder, { allowRoot: true })),
    close: () => closeSync(rootFd),
  }
}

function openRoot(opener: Opener, root: string): number {
  try {
    return opener.openRoot(root)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT') throw new VpError('path.not_found', 'the workspace directory does not exist', { cause })
    throw new VpError('path.not_regular', `the workspace cannot be opened (${code})`, { cause })
  }
}

function readFile(root: Root, path: string, maxBytes: number): FileBytes {
  const names = root.check(path, 'read')
  const fd = openIn(root, names, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  try {
    const found = regular(fstatSync(fd), names)
    if (found.nlink !== 1)
      throw new VpError('path.denied', `${quote(path)} has more than one hard link and may be a file from outside`, {
        rule: 'no-hard-links',
      })
    return { bytes: readBounded(fd, found.size, maxBytes, path), mode: found.mode & 0o777, id: fileId(found) }
  } finally {
    closeSync(fd)
  }
}

function look(root: Root, path: string, maxBytes: number): FileBytes | null {
  const names = root.check(path, 'read')
  // Most are files: one open tells.
  const opened = root.opener.open(root.fd(), names, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  if ('refused' in opened) {
    if (opened.refused === 'mount') throw refusalError(opened.refused, opened.at)
    return lookBeside(root, names)
  }
  try {
    const found = fstatSync(opened.fd)
    if (found.isDirectory()) return { bytes: Buffer.alloc(0), mode: DIRECTORY | (found.mode & 0o777), id: fileId(found) }
    return { bytes: readBounded(opened.fd, regular(found, names).size, maxBytes, path), mode: found.mode & 0o777, id: fileId(found) }
  } finally {
    closeSync(opened.fd)
  }
}

/** What cannot be opened: a link, a directory that may not be read, or nothing. */
function lookBeside(root: Root, names: readonly string[]): FileBytes | null {
  if (!isDirectoryAt(root, names.slice(0, -1))) return null
  const { found, target } = lookAt(root, names)
  if (!found) return null
  if (target) return { bytes: target, mode: LINK | 0o777, id: fileId(found) }
  if (found.isDirectory()) return { bytes: Buffer.alloc(0), mode: DIRECTORY | (found.mode & 0o777), id: fileId(found) }
  regular(found, names)
  throw refusalError('forbidden', names.join('/'))
}

/** What `look` found, as a write tells it. */
export function entryState({ bytes, mode }: Pick<FileBytes, 'bytes' | 'mode'>): FileState {
  return { sha: typeOf(mode) === DIRECTORY ? '' : sha256(bytes), mode }
}

/** The change that puts `before` in the place of `now`; `bytes` are those of `before`. */
export function changeBack(
  path: string,
  { before, bytes, now }: { readonly before: FileState | null; readonly bytes: Uint8Array | null; readonly now: FileState | null },
): FileChange {
  const type = now === null ? 0 : typeOf(now.mode)
  return {
    path,
    bytes: before && bytes,
    expectSha: now?.sha ?? null,
    ...(before ? { mode: before.mode } : {}),
    ...(type === 0 ? {} : { replaces: type }),
  }
}

function statPath(root: Root, path: string) {
  const names = root.check(path, 'read', { allowRoot: true })
  const fd = openIn(root, names.slice(0, -1), O_PATH | O_DIRECTORY)
  try {
    const found = lstatSync(root.opener.childPath(fd, names.at(-1) ?? '.'), { throwIfNoEntry: false })
    if (!found) throw refusalError('absent', names.join('/'))
    return { kind: kindOf(found), size: found.size, mode: found.mode & 0o777 }
  } catch (error) {
    // A directory that may be read and not entered.
    throw (error as NodeJS.ErrnoException).code === 'EACCES' ? refusalError('forbidden', names.join('/')) : error
  } finally {
    closeSync(fd)
  }
}

function requireWritable(root: Root, path: string, isGoing: (path: string) => boolean): void {
  const names = root.check(path, 'write')
  for (let length = 1; length < names.length; length++) {
    const above = names.slice(0, length)
    if (isGoing(above.join('/')) || !isPresent(root, above)) return
    closeSync(openIn(root, above, O_PATH | O_DIRECTORY))
  }
}

function kindOf(found: Stats): EntryKind {
  return found.isFile() ? 'file' : found.isDirectory() ? 'dir' : found.isSymbolicLink() ? 'symlink' : 'other'
}

function listTree(root: Root, path: string, { depth = 1, maxEntries, enter }: ListOptions): readonly Entry[] {
  const names = root.check(path, 'read', { allowRoot: true })
  const entries: Entry[] = []
  const visit = (dirFd: number, prefix: string, left: number): void => {
    for (const name of readdirSync(root.opener.childPath(dirFd, '.')).sort()) {
      if (entries.length >= maxEntries) return
      const entry = describe(root, root.opener.childPath(dirFd, name), prefix + name)
      if (!entry) continue
      entries.push(entry)
      if (entry.kind === 'dir' && left > 1 && enter?.(entry.path) !== false)
        descend(root.opener, { dirFd, name }, (fd) => visit(fd, `${entry.path}/`, left - 1))
    }
  }
  const fd = openIn(root, names, O_PATH | O_DIRECTORY)
  try {
    visit(fd, names.length === 0 ? '' : `${names.join('/')}/`, depth)
  } finally {
    closeSync(fd)
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}

function descend(opener: Opener, { dirFd, name }: { readonly dirFd: number; readonly name: string }, visit: (fd: number) => void): void {
  const opened = opener.open(dirFd, [name], O_PATH | O_DIRECTORY)
  // Removed or replaced since it was listed: then there is nothing below it to list.
  if ('refused' in opened) return
  const { fd } = opened
  try {
    visit(fd)
  } catch (error) {
    // A directory this user may not read is listed as an entry, without entries of its own.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
  } finally {
    closeSync(fd)
  }
}

/** null for what is denied, gone again, or has a name that is not UTF-8 and so cannot be asked for. */
function describe(root: Root, at: string, path: string): Entry | null {
  try {
    root.check(path, 'read')
  } catch {
    return null
  }
  const found = lstatSync(at, { throwIfNoEntry: false })
  return found ? { path, kind: kindOf(found), size: found.isFile() ? found.size : 0, changedMs: found.ctimeMs } : null
}
