/**
 * Writes several files of a workspace, all or none: every new content lies synced near its target before the first
 * rename, every preimage is checked, and a failure takes back what was renamed. What goes goes first, so that a file may
 * become a directory and a directory a file. Old files are never opened for writing, so a hard link to the outside is
 * broken, not written through. No durability is promised for directories.
 */
import { closeSync, constants, fchmodSync, fstatSync, lstatSync, readdirSync, readlinkSync, writeSync, type Stats } from 'node:fs'
import { asVpError, isVpError, VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { O_PATH, type Changes } from './open-beneath.ts'
import { quote } from './path-rules.ts'
import { syncFiles } from './sync-file-system.ts'
import { isDirectoryAt, isPresent, openIn, readBounded, regular, type Root } from './root.ts'

/** What a mode says beside its permission bits. Source: stat(2). */
export const LINK = 0o120000
export const DIRECTORY = 0o040000
const TYPE = 0o170000

export interface FileChange {
  readonly path: string
  /** null deletes. Of a link its target, of a directory nothing. */
  readonly bytes: Uint8Array | null
  /** Permission bits, with `LINK` or `DIRECTORY` for what is no file; absent keeps those of the old file, or 0644 for a new one. */
  readonly mode?: number
  /** SHA-256 of what must be there now, null for nothing; absent: not checked. */
  readonly expectSha?: string | null
  /** What is there now is no file: a link, which is not followed, or a directory, which goes when it is empty. */
  readonly replaces?: typeof LINK | typeof DIRECTORY
}

export interface FileState {
  /** Of a link that of its target, of a directory ''. */
  readonly sha: string
  /** As in `FileChange`. */
  readonly mode: number
}

/** 0 for a file. */
export function typeOf(mode: number): 0 | typeof LINK | typeof DIRECTORY {
  const type = mode & TYPE
  return type === LINK || type === DIRECTORY ? type : 0
}

export interface FileWritten {
  readonly path: string
  readonly before: FileState | null
  readonly after: FileState | null
}

/** Sees a write while it goes on, so that what was killed can be told from what somebody else did. May throw: then nothing was changed. */
export interface Witness {
  /** All new files lie ready and nothing is renamed yet: which files they are, in the order of the changes; null for one that goes. */
  prepared(ids: readonly (string | null)[]): void
  /** What this change removes goes now, or the directory that it makes comes. */
  began(index: number): void
  /** A directory on the way to a new file comes now, also before `prepared`. */
  making(directory: string): void
}

interface Preimage extends FileState {
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
}

interface Step {
  readonly index: number
  readonly change: FileChange
  readonly names: readonly string[]
  readonly before: Preimage | null
  readonly after: FileState | null
  /** The nearest directory above that is there all the time: what is new waits in it, what is old is kept in it. */
  readonly home: readonly string[]
  readonly homeFd: number
  readonly temp: Temp | null
}

interface Temp {
  readonly name: string
  readonly id: string
}

/** Which file it is, as it was when it was written: a number is used again, the time of another write differs. */
export function fileId({ ino, mtimeMs }: Pick<Stats, 'ino' | 'mtimeMs'>): string {
  return `${ino}:${mtimeMs}`
}

/** What link(2) says on a disk without hard links, and where the kernel protects them. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])
const MAX_PREIMAGE_BYTES = 1024 * 1024 * 1024
const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } = constants

/** One write on its way. */
interface Write {
  readonly root: Root
  readonly temporary: Temporary
  readonly witness: Witness | undefined
  /** Second names of what was there. */
  readonly backups: { readonly dirFd: number; readonly name: string }[]
  /** Directories on the way to a new file. */
  readonly parents: (readonly string[])[]
  /** Takes back what was done so far, the last first. */
  readonly undo: (() => void)[]
}

/** In the order of the changes, directories that were made on the way after them. Throws `patch.stale`, `store.full`, `path.*`; then every file is as it was. */
export function writeAll(root: Root, changes: readonly FileChange[], witness?: Witness): readonly FileWritten[] {
  const named = changes.map((change) => ({ change, names: root.check(change.path, 'write') }))
  refuseTwice(named.map(({ names }) => names.join('/')))
  const going = new Set(named.filter(({ change }) => isGoing(change)).map(({ names }) => names.join('/')))
  const steps: Step[] = []
  // A taken name is passed over; to begin where the last one ended keeps a folder of a thousand files linear.
  let free = 0
  const write: Write = { root, temporary: (make) => firstFree(make, free++), witness, backups: [], parents: [], undo: [] }
  const { childPath, change } = root.opener
  const kept = new Set<Step>()
  try {
    for (const [index, one] of named.entries()) steps.push(prepare(write, { ...one, index, home: homeOf(one.names, going) }))
    syncFiles(
      childPath(root.fd(), '.'),
      steps.flatMap(({ homeFd, temp, change }) => (temp && typeOf(change.mode ?? 0) !== LINK ? childPath(homeFd, temp.name) : [])),
    )
    witness?.prepared(steps.map(({ temp }) => temp?.id ?? null))
    const began = ({ index }: Step) => witness?.began(index)
    for (const step of steps) if (isLeaving(step)) removeOld(write, step, began)
    for (const step of deepestFirst(steps)) if (step.before && typeOf(step.before.mode) === DIRECTORY && !removeEmpty(write, step, began)) kept.add(step)
    for (const step of deepestFirst(steps).toReversed()) if (isDirectory(step.after)) makeNew(write, step, began)
    for (const step of steps) if (step.temp) putNew(write, step, step.temp)
    for (const { dirFd, name } of write.backups) change.unlink(dirFd, name)
  } catch (error) {
    for (const undo of write.undo.toReversed()) undo()
    throw isVpError(error) ? error : translate(error)
  } finally {
    for (const { homeFd } of steps) closeSync(homeFd)
  }
  return writtenBy(
    steps.filter((step) => !kept.has(step)),
    write.parents,
  )
}

function writtenBy(steps: readonly Step[], parents: Write['parents']): FileWritten[] {
  const made = new Map(parents.map((names) => [names.join('/'), { sha: '', mode: DIRECTORY | 0o755 }]))
  const written = steps.map(({ names, before, after }) => {
    const path = names.join('/')
    // A file that went, and whose name became a directory on the way to another.
    return { path, before: before && { sha: before.sha, mode: before.mode }, after: after ?? made.get(path) ?? null }
  })
  for (const { path } of written) made.delete(path)
  return [...written, ...[...made].map(([path, after]) => ({ path, before: null, after }))]
}

const isDirectory = (state: FileState | null): boolean => state !== null && typeOf(state.mode) === DIRECTORY

/** Nothing of its kind stays under that name, so that nothing beside or below it may wait there. */
function isGoing({ bytes, mode = 0, replaces }: FileChange): boolean {
  return bytes === null || replaces === DIRECTORY || typeOf(mode) === DIRECTORY
}

function homeOf(names: readonly string[], going: ReadonlySet<string>): readonly string[] {
  for (let length = 1; length < names.length; length++) if (going.has(names.slice(0, length).join('/'))) return names.slice(0, length - 1)
  return names.slice(0, -1)
}

/** A file or link that goes, or makes room for a directory; one that is replaced by another goes with the rename. */
function isLeaving({ before, after }: Step): boolean {
  return before !== null && typeOf(before.mode) !== DIRECTORY && (after === null || isDirectory(after))
}

function deepestFirst(steps: readonly Step[]): Step[] {
  return steps.toSorted((a, b) => b.names.length - a.names.length)
}

function translate(error: unknown): VpError {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EFBIG') return new VpError('store.full', 'the file is larger than this machine lets vp write', { cause: error })
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return new VpError('path.denied', `this user may not write there (${code})`, { cause: error })
  if (code === 'EBUSY') return new VpError('path.denied', 'something is mounted there; vp does not cross mount points', { cause: error, rule: 'no-mounts' })
  if (code === 'EISDIR' || code === 'ENOTDIR' || code === 'ENOTEMPTY')
    return new VpError('path.not_regular', `a directory stands where a file should, or the other way round (${code})`, {
      cause: error,
    })
  return asVpError(error)
}

function refuseTwice(paths: readonly string[]): void {
  const seen = new Set<string>()
  for (const path of paths) {
    if (seen.has(path)) throw new VpError('path.invalid', `${quote(path)} is named twice in one write`)
    seen.add(path)
  }
}

interface Wanted {
  readonly change: FileChange
  readonly names: readonly string[]
  readonly index: number
  readonly home: readonly string[]
}

/** Calls `make` with names until one is free. */
type Temporary = <T>(make: (name: string) => T) => T

function prepare(write: Write, { change, names, index, home }: Wanted): Step {
  const { root } = write
  // Below what makes room there may be nothing.
  const isThere = home.length === names.length - 1 || isDirectoryAt(root, names.slice(0, -1))
  const before = isThere && isPresent(root, names) ? preimage(root, names, change.replaces) : null
  checkExpected(change, before)
  if (change.bytes === null && !before) throw new VpError('path.not_found', `${quote(names.join('/'))} does not exist and cannot be deleted`)
  if (change.bytes !== null) makeParents(write, home)
  const homeFd = openIn(root, home, O_PATH | O_DIRECTORY)
  try {
    const { temp, after } = change.bytes === null ? { temp: null, after: null } : makeReady(write, homeFd, { change, bytes: change.bytes, before })
    return { index, change, names, before, after, home, homeFd, temp }
  } catch (error) {
    closeSync(homeFd)
    throw error
  }
}

interface Content {
  readonly change: FileChange
  readonly bytes: Uint8Array
  readonly before: Preimage | null
}

function makeReady(write: Write, homeFd: number, { change, bytes, before }: Content): Pick<Step, 'temp' | 'after'> {
  const wanted = change.mode ?? (before && typeOf(before.mode) === 0 ? before.mode : 0o644)
  const type = typeOf(wanted)
  if (type === DIRECTORY) return { temp: null, after: { sha: '', mode: DIRECTORY | (wanted & 0o777) } }
  const temp = type === LINK ? linkTemp(write, homeFd, bytes) : writeTemp(write, homeFd, { bytes, mode: wanted & 0o777 })
  write.undo.push(() => remove(write.root.opener.change, homeFd, temp.name))
  return { temp, after: { sha: sha256(bytes), mode: type === LINK ? LINK | 0o777 : wanted & 0o777 } }
}

function preimage(root: Root, names: readonly string[], replaces: FileChange['replaces']): Preimage {
  if (replaces !== undefined) return otherPreimage(root, names, replaces)
  const { found, bytes } = readWhole(root, names)
  return { sha: sha256(bytes), mode: found.mode & 0o777, ino: found.ino, size: found.size, mtimeMs: found.mtimeMs }
}

function otherPreimage(root: Root, names: readonly string[], replaces: typeof LINK | typeof DIRECTORY): Preimage {
  const { found, target } = lookAt(root, names)
  if (!found || typeOf(found.mode) !== replaces) throw changedMeanwhile(names.join('/'))
  const mode = replaces === LINK ? LINK | 0o777 : DIRECTORY | (found.mode & 0o777)
  return { sha: target ? sha256(target) : '', mode, ino: found.ino, size: found.size, mtimeMs: found.mtimeMs }
}

/** What is there under its own name: a link is not followed, its target is read. */
export function lookAt(root: Root, names: readonly string[]): { readonly found: Stats | undefined; readonly target: Buffer | null } {
  const fd = openIn(root, names.slice(0, -1), O_PATH | O_DIRECTORY)
  try {
    const at = root.opener.childPath(fd, names.at(-1) ?? '.')
    const found = lstatSync(at, { throwIfNoEntry: false })
    return { found, target: found?.isSymbolicLink() ? readlinkSync(at, { encoding: 'buffer' }) : null }
  } finally {
    closeSync(fd)
  }
}

function readWhole(root: Root, names: readonly string[]) {
  const fd = openIn(root, names, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  try {
    const found = regular(fstatSync(fd), names)
    return { found, bytes: readBounded(fd, found.size, MAX_PREIMAGE_BYTES, names.join('/')) }
  } finally {
    closeSync(fd)
  }
}

function checkExpected({ path, expectSha }: FileChange, before: FileState | null): void {
  if (expectSha === undefined || expectSha === (before?.sha ?? null)) return
  const said = (sha: string | null | undefined) => (sha ? sha.slice(0, 12) : 'no file')
  const message = `${quote(path)} changed since it was read (expected ${said(expectSha)}, found ${said(before?.sha)}). Read it again and rebuild the patch.`
  throw new VpError('patch.stale', message, { data: { path, expected: expectSha, found: before?.sha ?? null } })
}

function makeParents(write: Write, names: readonly string[]): void {
  const { root } = write
  for (let depth = 1; depth <= names.length; depth++) {
    const dir = names.slice(0, depth)
    if (isPresent(root, dir)) continue
    write.witness?.making(dir.join('/'))
    makeDirectory(write, dir)
    write.parents.push(dir)
  }
}

function makeDirectory({ root, undo }: Write, names: readonly string[]): void {
  const fd = openIn(root, names.slice(0, -1), O_PATH | O_DIRECTORY)
  try {
    root.opener.change.makeDirectory(fd, names.at(-1) as string)
    undo.push(() => removeMadeDir(root, names))
  } finally {
    closeSync(fd)
  }
}

/** A new file in a directory that holds `bytes`; to be synced before it is anything's only copy. */
function writeTemp({ root, temporary }: Write, dirFd: number, { bytes, mode }: { readonly bytes: Uint8Array; readonly mode: number }): Temp {
  const { change } = root.opener
  const { fd, name } = temporary((name) => ({ name, fd: change.create(dirFd, name) }))
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at)
    fchmodSync(fd, mode)
    return { name, id: fileId(fstatSync(fd)) }
  } catch (error) {
    change.unlink(dirFd, name)
    throw error
  } finally {
    closeSync(fd)
  }
}

function linkTemp({ root, temporary }: Write, dirFd: number, target: Uint8Array): Temp {
  const name = temporary((name) => {
    root.opener.change.symlink(dirFd, name, Buffer.from(target))
    return name
  })
  return { name, id: fileId(lstatSync(root.opener.childPath(dirFd, name))) }
}

/** O_EXCL and link(2) make a guessed name harmless: a taken one is passed over, so no randomness is needed. */
function firstFree<T>(make: (name: string) => T, from: number): T {
  for (let index = from; ; index++) {
    try {
      return make(`${LEFTOVER}${index}`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || index > from + 10_000) throw error
    }
  }
}

const LEFTOVER = '.vp-new-'

/** Removes what a write that was killed left beside its targets in one folder. For a root that nobody writes now. */
export function sweepLeftovers(root: Root, names: readonly string[]): number {
  const fd = openIn(root, names, O_PATH | O_DIRECTORY)
  try {
    const left = readdirSync(root.opener.childPath(fd, '.')).filter((name) => name.startsWith(LEFTOVER))
    for (const name of left) root.opener.change.unlink(fd, name)
    return left.length
  } finally {
    closeSync(fd)
  }
}

/** Runs `use` in the directory of a step as it is now. */
function inParent<Value>(root: Root, { names, home, homeFd }: Step, use: (fd: number, name: string) => Value): Value {
  const name = names.at(-1) as string
  if (home.length === names.length - 1) return use(homeFd, name)
  const fd = openIn(root, names.slice(0, -1), O_PATH | O_DIRECTORY)
  try {
    return use(fd, name)
  } finally {
    closeSync(fd)
  }
}

function removeOld(write: Write, step: Step, began: (step: Step) => void): void {
  const { root, undo } = write
  const { change } = root.opener
  const backup = backUp(write, step, step.before as Preimage)
  began(step)
  inParent(root, step, (fd, name) => change.unlink(fd, name))
  undo.push(() => inParent(root, step, (fd, name) => change.rename(step.homeFd, backup, fd, name)))
}

/** False where it holds something and may stay. */
function removeEmpty({ root, undo }: Write, step: Step, began: (step: Step) => void): boolean {
  const mode = (step.before?.mode ?? 0) & 0o777
  began(step)
  try {
    inParent(root, step, (fd, name) => root.opener.change.removeDirectory(fd, name))
  } catch (error) {
    if (step.change.bytes === null && ['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
  undo.push(() => {
    inParent(root, step, (fd, name) => root.opener.change.makeDirectory(fd, name))
    setMode(root, step.names, mode)
  })
  return true
}

function makeNew(write: Write, step: Step, began: (step: Step) => void): void {
  makeParents(write, step.names.slice(0, -1))
  began(step)
  if (!isPresent(write.root, step.names)) makeDirectory(write, step.names)
  setMode(write.root, step.names, (step.after?.mode ?? 0o755) & 0o777)
}

function setMode(root: Root, directory: readonly string[], mode: number): void {
  const fd = openIn(root, directory, O_RDONLY | O_DIRECTORY)
  try {
    fchmodSync(fd, mode)
  } finally {
    closeSync(fd)
  }
}

function putNew(write: Write, step: Step, temp: Temp): void {
  const { root, undo } = write
  const { change } = root.opener
  makeParents(write, step.names.slice(0, -1))
  const isReplaced = step.before !== null && typeOf(step.before.mode) !== DIRECTORY
  const backup = isReplaced ? backUp(write, step, step.before as Preimage) : null
  inParent(root, step, (fd, name) => change.rename(step.homeFd, temp.name, fd, name))
  undo.push(() => inParent(root, step, (fd, name) => (backup === null ? remove(change, fd, name) : change.rename(step.homeFd, backup, fd, name))))
}

/** A second name for what is there, so that taking back needs no space; a copy where the disk has no hard links. */
function backUp(write: Write, step: Step, before: Preimage): string {
  const { root, temporary, backups, undo } = write
  const { childPath, change } = root.opener
  const keep = (name: string): string => {
    backups.push({ dirFd: step.homeFd, name })
    undo.push(() => remove(change, step.homeFd, name))
    return name
  }
  try {
    const name = temporary((name) => {
      inParent(root, step, (fd, own) => change.link(fd, own, step.homeFd, name))
      return name
    })
    keep(name)
    checkUnchanged(step.names.join('/'), before, childPath(step.homeFd, name))
    return name
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    const isLink = typeOf(before.mode) === LINK
    const bytes = isLink ? (lookAt(root, step.names).target ?? Buffer.alloc(0)) : readWhole(root, step.names).bytes
    if (sha256(bytes) !== before.sha) throw changedMeanwhile(step.names.join('/'))
    const { name } = isLink ? linkTemp(write, step.homeFd, bytes) : writeTemp(write, step.homeFd, { bytes, mode: before.mode })
    keep(name)
    if (!isLink) syncFiles(childPath(step.homeFd, '.'), [childPath(step.homeFd, name)])
    return name
  }
}

/** Someone else may have written between the hash and now; the backup is the very file that would be replaced. */
function checkUnchanged(path: string, before: Preimage, backup: string): void {
  const now = lstatSync(backup)
  if (now.ino !== before.ino || now.size !== before.size || now.mtimeMs !== before.mtimeMs) throw changedMeanwhile(path)
}

function changedMeanwhile(path: string): VpError {
  return new VpError('patch.stale', `${quote(path)} changed while it was written. Read it again and rebuild the patch.`)
}

/** Somebody may have removed the whole folder meanwhile: then there is nothing to take back, and the first error counts. */
function remove(change: Changes, dirFd: number, name: string): void {
  try {
    change.unlink(dirFd, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function removeMadeDir(root: Root, dir: readonly string[]): void {
  try {
    const fd = openIn(root, dir.slice(0, -1), O_PATH | O_DIRECTORY)
    try {
      root.opener.change.removeDirectory(fd, dir.at(-1) as string)
    } finally {
      closeSync(fd)
    }
  } catch {
    // Somebody put a file into it or took it away meanwhile: then it is theirs.
  }
}
