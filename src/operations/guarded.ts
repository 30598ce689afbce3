/**
 * What a command may not write in its tree: names that steer programs of the person, secrets, installed packages. They
 * are named for read-only mounts before it, and afterwards the tree is looked through whatever the backend: what is there
 * in spite of it is taken back and told. A name that is not there yet has nothing to mount, so it is always taken back.
 * Leaves out: what somebody else makes of such names while the command runs is taken for the command's.
 */
import {
  mkdirSync,
  chmodSync,
  copyFileSync,
  constants,
  lstatSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { guardOf, isBareRepository, type Guard } from '../policy/paths.ts'
import { onDisk, shownPath, survey, textPath, type Survey, type Surveyed } from '../workspace/survey.ts'

export interface Breach {
  /** As it is shown to readers. */
  readonly path: string
  /** `set_id`: a program with somebody else's rights. `unseen`: could not be looked at. */
  readonly kind: Guard | 'set_id' | 'unseen'
  /** `left`: is as the command made it. */
  readonly outcome: 'removed' | 'restored' | 'left'
}

export interface Settled {
  /** Of the survey's paths: made, changed or removed and still so, in code-unit order. */
  readonly writes: readonly string[]
  /** Directories that it made, and that it removed: none of them are writes. */
  readonly directories: readonly string[]
  /** Every write is told. */
  readonly isWhole: boolean
  readonly breaches: readonly Breach[]
}

export interface GuardedTree {
  readonly before: Survey
  /** For a backend that can mount. */
  readonly protect: readonly string[]
  /** After the command: takes back what may not be, and tells the rest. */
  settle(): Settled
  release(): void
}

export interface GuardOptions {
  /** Whether what `protect` names will be read-only. */
  readonly mounts: boolean
  /** Makes a directory of vp's own, for copies. */
  readonly held: () => string
}

const MAX_ENTRIES = 300_000
const MAX_MOUNTS = 256
const MAX_HELD_BYTES = 128 * 1024 * 1024
const MAX_HELD_FILES = 20_000
/** Of installed packages, the shallow ones first: the programs that a shell finds are among them. Copying all would cost seconds a command. */
const MAX_HELD_PACKAGE_FILES = 500
const MAX_HELD_PACKAGE_FILE_BYTES = 256 * 1024
const MAX_TOLD = 200
/** Of a repository that is there: what makes git start programs. The rest is git's own, and a person's git may be at work. */
const GIT_SETTINGS = /^(?:config|config\.worktree|commondir|gitdir|hooks|info|modules|worktrees)$/
/** Where builds put whole programs with the packages that they need. */
const OUTPUT =
  /^(?:dist|build|out|output|target|tmp|temp|coverage|bundle|release|\.next|\.nuxt|\.output|\.svelte-kit|\.vercel|\.aws-sam|\.serverless|\.cache)$/i
const SET_ID = 0o6000

interface Top {
  readonly path: string
  readonly guard: Guard
}

export function guardTree(root: string, { mounts, held: makeHeld }: GuardOptions): GuardedTree {
  const mounted = new Map<string, string>()
  const before = survey(root, {
    maxEntries: MAX_ENTRIES,
    enter(path, entry) {
      const guard = guardAt(path)
      if (guard === null) return isWanted(path)
      if (!mounts || guard === 'cache' || mounted.size >= MAX_MOUNTS || !isTop(path) || textPath(path) === null) return isWanted(path)
      mounted.set(path, entry.id)
      return false
    },
  })
  const tops = topsOf(before, settingsOfBare(before))
  if (mounts)
    for (const [path, entry] of before.entries) {
      const top = tops.get(path)
      const isMountable = top?.path === path && top.guard !== 'cache' && (entry.kind === 'file' || entry.kind === 'dir') && textPath(path) !== null
      if (isMountable && !mounted.has(path) && mounted.size < 2 * MAX_MOUNTS) mounted.set(path, entry.id)
    }
  const held = hold(root, makeHeld, heldEntries(before, tops, mounted))
  const known: Known = { root, before, tops, mounted, held }
  return { before, protect: [...mounted.keys()].map((path) => textPath(path) ?? ''), settle: () => settle(known), release: held.release }
}

function heldEntries(before: Survey, tops: ReadonlyMap<string, Top>, mounted: ReadonlyMap<string, string>): (readonly [string, Surveyed])[] {
  const found = [...before.entries].filter(([path, { kind }]) => {
    const top = tops.get(path)
    return kind !== 'dir' && top !== undefined && top.guard !== 'cache' && !mounted.has(top.path)
  })
  const isPackage = ([path]: readonly [string, Surveyed]) => tops.get(path)?.guard === 'dependency'
  return [
    ...found.filter((one) => !isPackage(one)),
    ...found.filter((one) => isPackage(one) && one[1].size <= MAX_HELD_PACKAGE_FILE_BYTES).slice(0, MAX_HELD_PACKAGE_FILES),
  ]
}

const guards = new Map<string, Guard | null>()

/** By its last name. Names repeat, and folding them is dear. */
function guardAt(path: string): Guard | null {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const known = guards.get(name)
  if (known !== undefined) return known
  if (guards.size > 50_000) guards.clear()
  // Of a name that is no UTF-8 the bytes that are text count: no file system folds the others away.
  const guard = guardOf(textPath(name) ?? name)
  guards.set(name, guard)
  return guard
}

function isTop(path: string): boolean {
  return !path
    .split('/')
    .slice(0, -1)
    .some((name) => guardAt(name) !== null)
}

/** Below a `.git` only its settings. */
function isWanted(path: string): boolean {
  const parts = path.split('/')
  const at = parts.indexOf('.git')
  if (at < 0 || at === parts.length - 1) return true
  const inside = parts.slice(at + 1)
  return GIT_SETTINGS.test(inside[0] ?? '') && !inside.includes('objects') && !inside.includes('logs')
}

/** Directory → those of its names that make it a repository. */
function bareRepositories({ entries }: Survey): string[] {
  const names = new Map<string, Set<string>>()
  for (const path of entries.keys()) {
    const at = path.lastIndexOf('/')
    const name = path.slice(at + 1)
    if (!['HEAD', 'objects', 'refs', 'commondir'].includes(name)) continue
    const directory = at < 0 ? '' : path.slice(0, at)
    names.set(directory, (names.get(directory) ?? new Set()).add(name))
  }
  return [...names].filter(([directory, found]) => isBareRepository(found) && !directory.split('/').includes('.git')).map(([directory]) => directory)
}

const below = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`)

function settingsOfBare(found: Survey): ReadonlySet<string> {
  return new Set(bareRepositories(found).flatMap((directory) => ['config', 'hooks'].map((name) => below(directory, name))))
}

/** Of every guarded entry the outermost guarded one above it, or itself. */
function topsOf({ entries }: Survey, settings: ReadonlySet<string>): Map<string, Top> {
  const tops = new Map<string, Top>()
  for (const path of entries.keys()) {
    const above = tops.get(path.slice(0, Math.max(0, path.lastIndexOf('/'))))
    const guard = settings.has(path) ? 'protected' : guardAt(path)
    const top = above ?? (guard === null ? undefined : { path, guard })
    if (top) tops.set(path, top)
  }
  return tops
}

type Copy = { readonly file: string } | { readonly target: Buffer }

interface HeldCopies {
  get(path: string): Copy | undefined
  release(): void
}

function hold(root: string, makeDirectory: () => string, entries: readonly (readonly [string, Surveyed])[]): HeldCopies {
  const copies = new Map<string, Copy>()
  if (entries.length === 0) return { get: () => undefined, release: () => {} }
  const directory = makeDirectory()
  let left = MAX_HELD_BYTES
  for (const [path, { kind, size }] of entries) {
    if (copies.size >= MAX_HELD_FILES || (kind !== 'file' && kind !== 'symlink') || size > left) continue
    try {
      if (kind === 'symlink') copies.set(path, { target: readlinkSync(onDisk(root, path), { encoding: 'buffer' }) })
      else {
        const file = join(directory, String(copies.size))
        copyFileSync(onDisk(root, path), file, constants.COPYFILE_FICLONE)
        chmodSync(file, 0o600)
        copies.set(path, { file })
        left -= size
      }
    } catch {
      // Another user's file, or one that is going away: what becomes of it is told, and cannot be given back.
    }
  }
  return { get: (path) => copies.get(path), release: () => rmSync(directory, { recursive: true, force: true }) }
}

/** One sentence that names them. */
export function breachWords(breaches: readonly Pick<Breach, 'path' | 'outcome'>[]): string {
  const names = (outcomes: readonly Breach['outcome'][]) =>
    breaches.filter(({ outcome }) => outcomes.includes(outcome)).map(({ path }) => path.slice(0, 120) || 'names beyond what can be looked at')
  const list = (found: readonly string[]) => found.slice(0, 5).join(', ') + (found.length > 5 ? ` and ${found.length - 5} more` : '')
  const [back, left] = [names(['removed', 'restored']), names(['left'])]
  return [
    back.length > 0 ? `It wrote what no command may, and that was taken back: ${list(back)}.` : '',
    left.length > 0 ? `It wrote what no command may, and that is still there: ${list(left)}.` : '',
  ]
    .filter((text) => text !== '')
    .join(' ')
}

type Tell = (path: string, kind: Breach['kind'], outcome: Breach['outcome']) => void

interface Known {
  readonly root: string
  readonly before: Survey
  readonly tops: ReadonlyMap<string, Top>
  /** Path → which file it is. */
  readonly mounted: ReadonlyMap<string, string>
  readonly held: HeldCopies
}

function settle(known: Known): Settled {
  const { root, before, mounted } = known
  const mountedIds = new Set(mounted.values())
  const look = () => survey(root, { maxEntries: MAX_ENTRIES, enter: (path, { id }) => !mountedIds.has(id) && (isWanted(path) || !isKnownGit(path, before)) })
  const breaches: Breach[] = []
  const tell: Tell = (path, kind, outcome) => void breaches.push({ path: shownPath(path), kind, outcome })
  const found = look()
  const after = moveBack(known, found, tell) ? look() : found
  const tops = topsOf(after, settingsOfBare(before))
  restoreChanged(known, after, tell)
  for (const [path, entry] of after.entries) takeBackNew(known, { path, entry, top: tops.get(path), tell })
  const bare = new Set(bareRepositories(before))
  const heads = bareRepositories(after).flatMap((directory) => (bare.has(directory) || tops.has(directory) ? [] : below(directory, 'HEAD')))
  for (const head of heads) tell(head, 'protected', remove(root, head) ? 'removed' : 'left')
  for (const [path, entry] of after.entries) if (isNewSetId(before.entries.get(path), entry)) clearSetId(root, path, tell)
  for (const directory of after.unread) if (!before.unread.has(directory)) tell(directory, 'unseen', 'left')
  if (before.isWhole && !after.isWhole) tell('', 'unseen', 'left')
  const isSeen = before.isWhole && after.isWhole
  const isOrdinary = (top: Top | undefined) => top === undefined || (top.guard === 'secret' && !known.tops.has(top.path))
  const changed = [...after.entries].filter(
    ([path, entry]) =>
      entry.kind !== 'dir' &&
      isOrdinary(tops.get(path)) &&
      !heads.includes(path) &&
      (isSeen || before.entries.has(path)) &&
      isChanged(before.entries.get(path), entry),
  )
  const isGone = (path: string) => (after.entries.get(path)?.kind ?? 'dir') === 'dir'
  const removed = isSeen ? [...before.entries].filter(([path, { kind }]) => kind !== 'dir' && !known.tops.has(path) && isGone(path)) : []
  return {
    writes: [...changed, ...removed].map(([path]) => path).sort(),
    directories: isSeen ? movedDirectories(before, after, (path) => isOrdinary(tops.get(path)) && !known.tops.has(path)) : [],
    isWhole: isSeen && breaches.every(({ outcome }) => outcome !== 'left'),
    breaches: breaches.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)).slice(0, MAX_TOLD),
  }
}

function movedDirectories(before: Survey, after: Survey, isWanted: (path: string) => boolean): string[] {
  const only = (some: Survey, other: Survey) =>
    [...some.entries].filter(([path, { kind }]) => kind === 'dir' && other.entries.get(path)?.kind !== 'dir' && isWanted(path)).map(([path]) => path)
  return [...new Set([...only(after, before), ...only(before, after)])].sort()
}

/** Below a `.git` that was there. */
function isKnownGit(path: string, before: Survey): boolean {
  const parts = path.split('/')
  return before.entries.has(parts.slice(0, parts.indexOf('.git') + 1).join('/'))
}

function isChanged(was: Surveyed | undefined, now: Surveyed): boolean {
  if (!was || was.kind !== now.kind || was.mode !== now.mode) return true
  return now.kind !== 'dir' && (was.size !== now.size || was.changedMs !== now.changedMs || was.id !== now.id)
}

function isNewSetId(was: Surveyed | undefined, now: Surveyed): boolean {
  return now.kind === 'file' && (now.mode & SET_ID) !== 0 && isChanged(was, now)
}

/** A directory above one can be renamed although it is mounted itself. True when something was moved. */
function moveBack({ root, before, tops, mounted }: Known, after: Survey, tell: Tell): boolean {
  const places = new Map([...after.entries].map(([path, { id }]) => [id, path]))
  let isMoved = false
  for (const [path, { guard, path: top }] of tops) {
    const was = before.entries.get(path)
    if (path !== top || !was || guard === 'cache' || (was.kind !== 'dir' && !mounted.has(path)) || after.entries.get(path)?.id === was.id) continue
    const at = places.get(was.id)
    if (at === undefined || before.entries.has(at)) continue
    const isBack = remove(root, path) && makeParents(root, path, before) && attempt(() => renameSync(onDisk(root, at), onDisk(root, path)))
    isMoved ||= isBack
    tell(path, guard, isBack ? 'restored' : 'left')
  }
  return isMoved
}

/** What was there, entry by entry; of what is mounted only that it is. */
function restoreChanged(known: Known, after: Survey, tell: Tell): void {
  const { before, tops, mounted } = known
  for (const [path, was] of before.entries) {
    const top = tops.get(path)
    if (!top || top.guard === 'cache') continue
    const now = after.entries.get(path)
    if (mounted.has(top.path)) {
      if (path === top.path && !now) tell(path, top.guard, 'left')
    } else if (!now || isChanged(was, now)) tell(path, top.guard, restore(known, path, was) ? 'restored' : 'left')
  }
}

function restore({ root, before, held }: Known, path: string, was: Surveyed): boolean {
  const copy = held.get(path)
  if (was.kind === 'dir') {
    const now = lstatSync(onDisk(root, path), { throwIfNoEntry: false })
    const isThere = now?.isDirectory() === true || (remove(root, path) && makeParents(root, path, before) && attempt(() => mkdirSync(onDisk(root, path))))
    return isThere && attempt(() => chmodSync(onDisk(root, path), was.mode))
  }
  if (!copy || !remove(root, path) || !makeParents(root, path, before)) return false
  return attempt(() => {
    if ('target' in copy) return symlinkSync(copy.target, onDisk(root, path))
    copyFileSync(copy.file, onDisk(root, path), constants.COPYFILE_EXCL)
    chmodSync(onDisk(root, path), was.mode)
  })
}

interface Appeared {
  readonly path: string
  readonly entry: Surveyed
  readonly top: Top | undefined
  readonly tell: Tell
}

/** A guarded name that was not there. A secret file is a write like any other, since it starts nothing. */
function takeBackNew({ root, before, tops }: Known, { path, entry, top, tell }: Appeared): void {
  if (top?.guard === 'cache' && entry.kind !== 'dir' && isChanged(before.entries.get(path), entry)) remove(root, path)
  if (!top || top.guard === 'cache' || before.entries.has(path) || !lstatSync(onDisk(root, path), { throwIfNoEntry: false })) return
  const isInsideKnown = tops.has(top.path)
  if (!isInsideKnown && (path !== top.path || top.guard === 'secret')) return
  const isProduct = !isInsideKnown && top.guard === 'dependency' && isOutput(path, before)
  tell(path, top.guard, !isProduct && remove(root, path) ? 'removed' : 'left')
}

/** In a directory that the command made, or where builds put things. */
function isOutput(path: string, before: Survey): boolean {
  const parents = path.split('/').slice(0, -1)
  return parents.length > 0 && (!before.entries.has(parents.join('/')) || parents.some((name) => OUTPUT.test(name)))
}

function clearSetId(root: string, path: string, tell: Tell): void {
  const found = lstatSync(onDisk(root, path), { throwIfNoEntry: false })
  if (!found?.isFile() || (found.mode & SET_ID) === 0) return
  tell(path, 'set_id', attempt(() => chmodSync(onDisk(root, path), found.mode & 0o1777)) ? 'restored' : 'left')
}

/** With nothing of the run left, the tree is as still as a person leaves it. A link on the way is the command's own, and goes. */
function makeParents(root: string, path: string, before: Survey): boolean {
  const parts = path.split('/').slice(0, -1)
  return parts.every((_, index) => {
    const parent = parts.slice(0, index + 1).join('/')
    const found = lstatSync(onDisk(root, parent), { throwIfNoEntry: false })
    if (found?.isDirectory()) return true
    return (
      (!found || attempt(() => unlinkSync(onDisk(root, parent)))) &&
      attempt(() => mkdirSync(onDisk(root, parent), { mode: before.entries.get(parent)?.mode ?? 0o755 }))
    )
  })
}

/** True when nothing of that name is there any more. */
function remove(root: string, path: string): boolean {
  return attempt(() => {
    const at = onDisk(root, path)
    const found = lstatSync(at, { throwIfNoEntry: false })
    if (!found) return
    if (!found.isDirectory()) return unlinkSync(at)
    chmodSync(at, 0o700)
    // What cannot be removed keeps nothing else.
    for (const name of readdirSync(at, { encoding: 'latin1' })) remove(root, `${path}/${name}`)
    try {
      rmdirSync(at)
    } catch {
      rmSync(at, { recursive: true }) // deeper than a path can name: it goes down by descriptors
    }
  })
}

function attempt(body: () => void): boolean {
  try {
    body()
    return true
  } catch {
    return false // said as an outcome
  }
}
