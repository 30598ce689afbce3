/**
 * Opens a path below a directory descriptor and never outside it, whatever is renamed or linked meanwhile.
 * Two carriers: `openat2` through node:ffi, and a walk over `/proc/self/fd` in plain JavaScript. A refusal of the
 * first is final; the second only says why, because errno read by a second foreign call is not to be trusted.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Not in `fs.constants`; the same value on x64 and arm64. Source: asm-generic/fcntl.h. */
export const O_PATH = 0o10000000
const { O_NOFOLLOW, O_DIRECTORY, O_RDONLY } = constants

export type Refusal = 'absent' | 'symlink' | 'not_directory' | 'special' | 'forbidden' | 'moving'
export type Opened = { readonly fd: number } | { readonly refused: Refusal; readonly at: string }

export interface Opener {
  readonly name: 'openat2' | 'walk'
  /** The final component is never followed; with O_PATH a final symlink is opened as itself. */
  open(rootFd: number, names: readonly string[], flags: number): Opened
}

/** Where a child of an open directory is reached without naming the directory's path. */
export function childPath(dirFd: number, name: string): string {
  return `/proc/self/fd/${dirFd}/${name}`
}

export const walkOpener: Opener = { name: 'walk', open: walk }

function walk(rootFd: number, names: readonly string[], flags: number): Opened {
  if (names.length === 0) return { fd: openSync(childPath(rootFd, '.'), flags | O_DIRECTORY) }
  let dir = rootFd
  try {
    for (const [index, name] of names.entries()) {
      const last = index === names.length - 1
      const next = step(dir, name, last ? flags | O_NOFOLLOW : O_PATH | O_NOFOLLOW | O_DIRECTORY)
      if ('refused' in next) return { ...next, at: names.slice(0, index + 1).join('/') }
      if (last) return next
      if (dir !== rootFd) closeSync(dir)
      dir = next.fd
    }
    return { refused: 'moving', at: names.join('/') }
  } finally {
    if (dir !== rootFd) closeSync(dir)
  }
}

function step(dir: number, name: string, flags: number): Opened {
  if (name === '..' || name === '.' || name === '') return { refused: 'forbidden', at: name }
  try {
    return { fd: openSync(childPath(dir, name), flags) }
  } catch (error) {
    return { refused: refusalOf(error, dir, name), at: name }
  }
}

function refusalOf(error: unknown, dir: number, name: string): Refusal {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EACCES' || code === 'EPERM' || code === 'ENAMETOOLONG') return 'forbidden'
  if (code !== 'ENOENT' && code !== 'ELOOP' && code !== 'ENOTDIR' && code !== 'ENXIO') throw error
  if (code === 'ENOENT') return 'absent'
  const entry = lstatSync(childPath(dir, name), { throwIfNoEntry: false })
  if (!entry) return 'absent'
  if (entry.isSymbolicLink()) return 'symlink'
  return code === 'ENOTDIR' ? 'not_directory' : code === 'ENXIO' ? 'special' : 'moving'
}

const SYS_OPENAT2 = 437n
/** BENEATH, NO_SYMLINKS, NO_MAGICLINKS. Source: linux/openat2.h. */
const RESOLVE = 8n | 4n | 2n
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
  return { name: 'openat2', open }
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

/** True when `opener` opens what it should below `/proc`, and refuses symlinks, symlinked parents and `..` there. */
export function passesSelfTest(opener: Opener): boolean {
  const rootFd = openSync('/proc', O_PATH | O_DIRECTORY)
  const opens = (names: readonly string[], flags: number) => {
    const result = opener.open(rootFd, names, flags)
    if ('fd' in result) closeSync(result.fd)
    return 'fd' in result
  }
  try {
    return (
      opens(['version'], O_RDONLY) &&
      opens(['sys', 'kernel', 'ostype'], O_RDONLY) &&
      opens([], O_PATH | O_DIRECTORY) &&
      !opens(['mounts'], O_RDONLY) &&
      !opens(['self', 'status'], O_RDONLY) &&
      !opens(['sys', '..', 'version'], O_RDONLY) &&
      !opens(['..'], O_PATH)
    )
  } catch {
    // A carrier that throws here is one that does not work here.
    return false
  } finally {
    closeSync(rootFd)
  }
}

/** The best carrier that works on this machine; null when neither does (no /proc). */
export function chooseOpener(): Opener | null {
  for (const opener of [openat2Opener(), walkOpener]) if (opener && passesSelfTest(opener)) return opener
  return null
}
