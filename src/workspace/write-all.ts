/**
 * Writes several files of a workspace, all or none: every new content lies synced beside its target before the first
 * rename, every preimage is checked, and a failure takes back what was renamed. Old files are never opened for
 * writing, so a hard link to the outside is broken, not written through. No durability is promised for directories.
 */
import { closeSync, constants, fchmodSync, fstatSync, lstatSync, readdirSync, writeSync, type Stats } from 'node:fs'
import { asVpError, isVpError, VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { O_PATH, type Changes, type Opener } from './open-beneath.ts'
import { quote } from './path-rules.ts'
import { syncFiles } from './sync-file-system.ts'
import { isPresent, openIn, readBounded, regular, type Root } from './root.ts'

export interface FileChange {
  readonly path: string
  /** null deletes. */
  readonly bytes: Uint8Array | null
  /** Permission bits; absent keeps those of the old file, or 0644 for a new one. */
  readonly mode?: number
  /** SHA-256 of what must be there now, null for nothing; absent: not checked. */
  readonly expectSha?: string | null
}

export interface FileState {
  readonly sha: string
  readonly mode: number
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
  /** The file of this change goes now. */
  removing(index: number): void
}

interface Preimage extends FileState {
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
}

interface Step {
  readonly path: string
  readonly name: string
  readonly parentFd: number
  readonly before: Preimage | null
  readonly after: FileState | null
  readonly temp: Temp | null
  backup: string | null
  isDone: boolean
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

/** Throws `patch.stale`, `store.full`, `path.*`; then every file is as it was. */
export function writeAll(root: Root, changes: readonly FileChange[], witness?: Witness): readonly FileWritten[] {
  const named = changes.map((change) => ({ change, names: root.check(change.path, 'write') }))
  refuseTwice(named.map(({ names }) => names.join('/')))
  const madeDirs: (readonly string[])[] = []
  const steps: Step[] = []
  // A taken name is passed over; to begin where the last one ended keeps a folder of a thousand files linear.
  let free = 0
  const temporary: Temporary = (make) => firstFree(make, free++)
  const { childPath, change } = root.opener
  try {
    for (const { change, names } of named) steps.push(prepare(root, { change, names, madeDirs, temporary }))
    syncFiles(
      childPath(root.fd(), '.'),
      steps.flatMap(({ parentFd, temp }) => (temp ? childPath(parentFd, temp.name) : [])),
    )
    witness?.prepared(steps.map(({ temp }) => temp?.id ?? null))
    for (const [index, step] of steps.entries()) carryOut(root, step, { temporary, removing: () => witness?.removing(index) })
    for (const step of steps) if (step.backup) change.unlink(step.parentFd, step.backup)
  } catch (error) {
    takeBack(root, steps, madeDirs)
    throw isVpError(error) ? error : translate(error)
  } finally {
    for (const step of steps) closeSync(step.parentFd)
  }
  return steps.map(({ path, before, after }) => ({
    path,
    before: before && { sha: before.sha, mode: before.mode },
    after,
  }))
}

function translate(error: unknown): VpError {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EFBIG') return new VpError('store.full', 'the file is larger than this machine lets vp write', { cause: error })
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return new VpError('path.denied', `this user may not write there (${code})`, { cause: error })
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
  readonly madeDirs: (readonly string[])[]
  readonly temporary: Temporary
}

/** Calls `make` with names until one is free. */
type Temporary = <T>(make: (name: string) => T) => T

function prepare(root: Root, { change, names, madeDirs, temporary }: Wanted): Step {
  const path = names.join('/')
  const before = isPresent(root, names) ? preimage(root, names) : null
  checkExpected(change, before)
  if (change.bytes !== null) makeParents(root, names.slice(0, -1), madeDirs)
  else if (!before) throw new VpError('path.not_found', `${quote(path)} does not exist and cannot be deleted`)
  const parentFd = openIn(root, names.slice(0, -1), O_PATH | O_DIRECTORY)
  try {
    const mode = (change.mode ?? before?.mode ?? 0o644) & 0o777
    const temp = change.bytes === null ? null : writeTemp(root.opener, { parentFd, temporary }, { bytes: change.bytes, mode })
    const after = change.bytes === null ? null : { sha: sha256(change.bytes), mode }
    return { path, name: names.at(-1) as string, parentFd, before, after, temp, backup: null, isDone: false }
  } catch (error) {
    closeSync(parentFd)
    throw error
  }
}

function preimage(root: Root, names: readonly string[]): Preimage {
  const { found, bytes } = readWhole(root, names)
  return { sha: sha256(bytes), mode: found.mode & 0o777, ino: found.ino, size: found.size, mtimeMs: found.mtimeMs }
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

function makeParents(root: Root, names: readonly string[], madeDirs: (readonly string[])[]): void {
  for (let depth = 1; depth <= names.length; depth++) {
    const dir = names.slice(0, depth)
    if (isPresent(root, dir)) continue
    const fd = openIn(root, dir.slice(0, -1), O_PATH | O_DIRECTORY)
    try {
      root.opener.change.makeDirectory(fd, dir.at(-1) as string)
      madeDirs.push(dir)
    } finally {
      closeSync(fd)
    }
  }
}

/** The name of a new file beside the target that holds `bytes`; to be synced before it is anything's only copy. */
function writeTemp(
  opener: Opener,
  { parentFd, temporary }: { readonly parentFd: number; readonly temporary: Temporary },
  { bytes, mode }: { readonly bytes: Uint8Array; readonly mode: number },
): Temp {
  const { fd, name } = temporary((name) => ({ name, fd: opener.change.create(parentFd, name) }))
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at)
    fchmodSync(fd, mode)
    return { name, id: fileId(fstatSync(fd)) }
  } catch (error) {
    opener.change.unlink(parentFd, name)
    throw error
  } finally {
    closeSync(fd)
  }
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

function carryOut(root: Root, step: Step, { temporary, removing }: { readonly temporary: Temporary; readonly removing: () => void }): void {
  const { change } = root.opener
  if (step.before) step.backup = backUp(root, step, { before: step.before, temporary })
  if (step.temp) change.rename(step.parentFd, step.temp.name, step.name)
  else {
    removing()
    change.unlink(step.parentFd, step.name)
  }
  step.isDone = true
}

/** A second name for the old file, so that taking back needs no space; a copy where the disk has no hard links. */
function backUp(root: Root, step: Step, { before, temporary }: { readonly before: Preimage; readonly temporary: Temporary }): string {
  const { childPath, change } = root.opener
  try {
    const name = temporary((name) => {
      change.link(step.parentFd, step.name, name)
      return name
    })
    step.backup = name
    checkUnchanged(step.path, before, childPath(step.parentFd, name))
    return name
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    const bytes = readWhole(root, step.path.split('/')).bytes
    if (sha256(bytes) !== before.sha) throw changedMeanwhile(step.path)
    const { name: copy } = writeTemp(root.opener, { parentFd: step.parentFd, temporary }, { bytes, mode: before.mode })
    syncFiles(childPath(step.parentFd, '.'), [childPath(step.parentFd, copy)])
    return copy
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

function takeBack(root: Root, steps: readonly Step[], madeDirs: readonly (readonly string[])[]): void {
  const { change } = root.opener
  for (const step of steps.toReversed()) {
    const { parentFd } = step
    if (step.isDone && step.backup) change.rename(parentFd, step.backup, step.name)
    else if (step.isDone) remove(change, parentFd, step.name)
    else {
      if (step.backup) remove(change, parentFd, step.backup)
      if (step.temp) remove(change, parentFd, step.temp.name)
    }
  }
  for (const dir of madeDirs.toReversed()) removeMadeDir(root, dir)
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
