/**
 * Opens a path below a directory descriptor and never outside it, whatever is renamed or linked meanwhile.
 * Two carriers: `openat2` through node:ffi, and a walk over `/proc/self/fd` in plain JavaScript. A refusal of the
 * first is final; the second only says why, because errno read by a second foreign call is not to be trusted. What is
 * mounted inside the root is outside of it; that the root itself is a mount, or lies in one, is nobody's business.
 * macOS has neither: its carrier is in `open-without-links.ts`.
 */
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { linklessOpener } from './open-without-links.ts'

/** Not in `fs.constants`; the same value on x64 and arm64. Source: asm-generic/fcntl.h. The carrier of macOS reads its own flags from it. */
export const O_PATH = 0o10000000
const { O_NOFOLLOW, O_DIRECTORY, O_RDONLY, O_WRONLY, O_CREAT, O_EXCL } = constants

export type Refusal = 'absent' | 'symlink' | 'not_directory' | 'special' | 'forbidden' | 'mount' | 'moving'
export type Opened = { readonly fd: number } | { readonly refused: Refusal; readonly at: string }

export interface Opener {
  readonly name: 'openat2' | 'walk' | 'linkless'
  /** The directory that all is below; symlinks on the way to it are followed. */
  openRoot(path: string): number
  /** The final component is never followed. */
  open(dirFd: number, names: readonly string[], flags: number): Opened
  /** Where a child of a directory that this carrier opened can be looked at. What changes something goes through `change`. */
  childPath(dirFd: number, name: string): string
  readonly change: Changes
}

/** What changes a directory, by its descriptor: never in another one that its path leads to by now. Throws what the system says, with its code. */
export interface Changes {
  /** A new file to write, of mode 0600. */
  create(dirFd: number, name: string): number
  /** A second name for a file or a link, also in another directory. */
  link(dirFd: number, name: string, toFd: number, second: string): void
  symlink(dirFd: number, name: string, target: Buffer): void
  rename(dirFd: number, name: string, toFd: number, to: string): void
  unlink(dirFd: number, name: string): void
  makeDirectory(dirFd: number, name: string): void
  removeDirectory(dirFd: number, name: string): void
}

/** Without naming the directory's path, which may lead elsewhere by now. */
function procPath(dirFd: number, name: string): string {
  return `/proc/self/fd/${dirFd}/${name}`
}

const byProc: Omit<Opener, 'name' | 'open'> = {
  openRoot: (path) => openSync(path, O_PATH | O_DIRECTORY),
  childPath: procPath,
  change: {
    create: (dirFd, name) => openSync(procPath(dirFd, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600),
    link: (dirFd, name, toFd, second) => linkSync(procPath(dirFd, name), procPath(toFd, second)),
    symlink: (dirFd, name, target) => symlinkSync(target, procPath(dirFd, name)),
    rename: (dirFd, name, toFd, to) => renameSync(procPath(dirFd, name), procPath(toFd, to)),
    unlink: (dirFd, name) => unlinkSync(procPath(dirFd, name)),
    makeDirectory: (dirFd, name) => mkdirSync(procPath(dirFd, name), 0o755),
    removeDirectory: (dirFd, name) => rmdirSync(procPath(dirFd, name)),
  },
}

export const walkOpener: Opener = { ...byProc, name: 'walk', open: walk }

function walk(rootFd: number, names: readonly string[], flags: number): Opened {
  if (names.length === 0) return { fd: openSync(procPath(rootFd, '.'), flags | O_DIRECTORY) }
  let dir = rootFd
  try {
    for (const [index, name] of names.entries()) {
      const last = index === names.length - 1
      const next = step(dir, name, last ? flags | O_NOFOLLOW : O_PATH | O_NOFOLLOW | O_DIRECTORY)
      if ('refused' in next) return { ...next, at: names.slice(0, index + 1).join('/') }
      if (last) return isSameMount(rootFd, next.fd) ? next : (closeSync(next.fd), { refused: 'mount', at: names.join('/') })
      if (dir !== rootFd) closeSync(dir)
      dir = next.fd
    }
    return { refused: 'moving', at: names.join('/') }
  } finally {
    if (dir !== rootFd) closeSync(dir)
  }
}

/** By the number of the mount, since a directory of the same disk may be bound there. Source: proc_pid_fdinfo(5). */
function isSameMount(rootFd: number, fd: number): boolean {
  const mountOf = (one: number) => /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${one}`, 'latin1'))?.[1]
  const mount = mountOf(rootFd)
  return mount === undefined ? fstatSync(rootFd).dev === fstatSync(fd).dev : mount === mountOf(fd)
}

function step(dir: number, name: string, flags: number): Opened {
  if (name === '..' || name === '.' || name === '') return { refused: 'forbidden', at: name }
  try {
    return { fd: openSync(procPath(dir, name), flags) }
  } catch (error) {
    return { refused: refusalOf(error, dir, name), at: name }
  }
}

function refusalOf(error: unknown, dir: number, name: string): Refusal {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EACCES' || code === 'EPERM' || code === 'ENAMETOOLONG') return 'forbidden'
  if (code !== 'ENOENT' && code !== 'ELOOP' && code !== 'ENOTDIR' && code !== 'ENXIO') throw error
  if (code === 'ENOENT') return 'absent'
  const entry = lstatSync(procPath(dir, name), { throwIfNoEntry: false })
  if (!entry) return 'absent'
  if (entry.isSymbolicLink()) return 'symlink'
  return code === 'ENOTDIR' ? 'not_directory' : code === 'ENXIO' ? 'special' : 'moving'
}

const SYS_OPENAT2 = 437n
/** BENEATH, NO_SYMLINKS, NO_MAGICLINKS, NO_XDEV. Source: linux/openat2.h. */
const RESOLVE = 8n | 4n | 2n | 1n
const O_CLOEXEC = 0o2000000
const TRIES = 3

/** The openat2 carrier, or null where node:ffi or its libc cannot be loaded. */
export function openat2Opener(): Opener | null {
  const syscall = loadSyscall()
  if (!syscall) return null
  const raw = (rootFd: number, path: string, flags: number): number => {
    const how = Buffer.alloc(24)
    how.writeBigUInt64LE(BigInt((flags | O_CLOEXEC | O_NOFOLLOW) >>> 0), 0)
    how.writeBigUInt64LE(RESOLVE, 16)
    return Number(syscall(SYS_OPENAT2, BigInt(rootFd), Buffer.from(`${path}\0`), how, 24n))
  }
  const open: Opener['open'] = (rootFd, names, flags) => {
    const path = names.length === 0 ? '.' : names.join('/')
    // The kernel would allow a `..` that stays below the root; a name here is never one.
    if (names.some((name) => name === '..' || name === '.')) return { refused: 'forbidden', at: path }
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const fd = raw(rootFd, path, flags)
      if (fd >= 0) return { fd }
      const why = walk(rootFd, names, O_PATH | (flags & O_DIRECTORY))
      if ('refused' in why) return why
      const found = fstatSync(why.fd)
      closeSync(why.fd)
      if (found.isSymbolicLink()) return { refused: 'symlink', at: path }
      if (found.isSocket()) return { refused: 'special', at: path }
      if ((flags & O_PATH) === 0 && !readableByWalk(rootFd, names, flags)) return { refused: 'forbidden', at: path }
    }
    return { refused: 'moving', at: path }
  }
  return { ...byProc, name: 'openat2', open }
}

function readableByWalk(rootFd: number, names: readonly string[], flags: number): boolean {
  const again = walk(rootFd, names, flags)
  if ('refused' in again) return again.refused !== 'forbidden'
  closeSync(again.fd)
  return true
}

type Syscall = (number: bigint, a: bigint, b: Buffer, c: Buffer, d: bigint) => bigint

function loadSyscall(): Syscall | null {
  try {
    // Behind require, so that a Node without node:ffi (or with it disabled) falls back instead of failing to load.
    const ffi = createRequire(import.meta.url)('node:ffi') as typeof import('node:ffi')
    const signature = { arguments: ['int64', 'int64', 'buffer', 'buffer', 'int64'], return: 'int64' } as const
    return new ffi.DynamicLibrary('libc.so.6').getFunction('syscall', signature) as unknown as Syscall
  } catch {
    // The walk is slower and just as tight; nothing is lost by going on with it.
    return null
  }
}

/** Something that every machine of a kind has: what must open below `root`, and what must not. */
interface Ground {
  readonly root: string
  readonly files: readonly (readonly string[])[]
  readonly refused: readonly (readonly string[])[]
}

const PROC: Ground = {
  root: '/proc',
  // Below no directory that a container mounts something over, as it does with `sys`.
  files: [['version'], [String(process.pid), 'status']],
  refused: [['mounts'], ['self', 'status'], ['sys', '..', 'version'], ['..']],
}
/** `/etc` and `/var` are symlinks into `/private` there. Source: hier(7) of macOS. */
const MACOS: Ground = {
  root: '/',
  files: [['private', 'etc', 'hosts']],
  refused: [['etc'], ['etc', 'hosts'], ['private', '..', 'private', 'etc', 'hosts'], ['..']],
}

/** True when `opener` opens what it should on ground that is known, and refuses symlinks, symlinked parents and `..` there. */
export function passesSelfTest(opener: Opener, ground: Ground = PROC): boolean {
  try {
    const rootFd = opener.openRoot(ground.root)
    const opens = (names: readonly string[], flags: number) => {
      const result = opener.open(rootFd, names, flags)
      if ('fd' in result) closeSync(result.fd)
      return 'fd' in result
    }
    try {
      return ground.files.every((names) => opens(names, O_RDONLY)) && opens([], O_PATH | O_DIRECTORY) && !ground.refused.some((names) => opens(names, O_RDONLY))
    } finally {
      closeSync(rootFd)
    }
  } catch {
    // A carrier that throws here is one that does not work here.
    return false
  }
}

/** The best carrier that works on this machine; null when none does. */
export function chooseOpener(platform: string): Opener | null {
  const [openers, ground] = platform === 'darwin' ? [[linklessOpener()], MACOS] : [[openat2Opener(), walkOpener], PROC]
  for (const opener of openers) if (opener && passesSelfTest(opener, ground)) return opener
  return null
}
