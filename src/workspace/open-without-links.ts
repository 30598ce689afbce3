/**
 * The carrier of macOS, which has neither openat2 nor /proc: the real path of the root once, from then on opens of
 * whole paths with O_NOFOLLOW_ANY, which refuses a symlink in any component, and changes by the descriptor of the
 * directory (renameat and its like) through node:ffi. Never run on a Mac: the tests drive it on Linux, where an open
 * that refuses links in the same way stands in for the flag. Leaves out: what only looks (listings, lstat) goes by the
 * path, after a check that it still leads to the open directory; who exchanges a folder in between learns names and
 * sizes from outside, nothing more. A mount inside the root is told by its device alone. Source: open(2), renameat(2), linkat(2), symlinkat(2), unlinkat(2), mkdirat(2) of macOS 11 and later.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { getSystemErrorMap } from 'node:util'
import { VpError } from '../core/errors.ts'
import type { Changes, Opened, Opener } from './open-beneath.ts'

/** Opens a path and throws ELOOP when any component of it is a symlink. */
export type LinklessOpen = (path: string, flags: number, mode?: number) => number

/** What differs between macOS and the Linux of the tests. */
export interface LinklessParts {
  readonly open: LinklessOpen
  readonly libc: string
  /** The function that tells where errno is. */
  readonly errno: string
  readonly removeDirectoryFlag: number
}

const O_NOFOLLOW_ANY = 0x20000000
const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

/** Sources: fcntl.h and errno.h of macOS. */
const MACOS: LinklessParts = {
  open: (path, flags, mode) => openSync(path, flags | O_NOFOLLOW_ANY, mode),
  libc: '/usr/lib/libSystem.B.dylib',
  errno: '__error',
  removeDirectoryFlag: 0x80,
}

/** null where node:ffi or the library cannot be loaded. `parts` are for tests. */
export function linklessOpener(parts: LinklessParts = MACOS): Opener | null {
  const calls = loadCalls(parts)
  if (!calls) return null
  const { open } = parts
  // A number that is closed and given anew is written over when it is a directory again, and not asked for when it is not.
  const paths = new Map<number, string>()
  const pathOf = (dirFd: number) => {
    const path = paths.get(dirFd)
    if (path === undefined) throw new Error(`descriptor ${dirFd} is no directory of this carrier`)
    return path
  }
  const openDirectory = (path: string) => {
    const fd = open(path, O_RDONLY | O_DIRECTORY)
    paths.set(fd, path)
    return fd
  }
  const childPath = (dirFd: number, name: string) => join(checked(dirFd, pathOf(dirFd)), name)
  return {
    name: 'linkless',
    openRoot: (path) => openDirectory(realpathSync(path)),
    open(dirFd, names, flags) {
      if (names.some((name) => name === '..' || name === '.' || name === '')) return { refused: 'forbidden', at: names.join('/') }
      try {
        const path = join(pathOf(dirFd), ...names)
        const isDirectory = names.length === 0 || (flags & O_DIRECTORY) !== 0
        // All that is ever opened is read; a pipe must not hold the open up.
        const fd = isDirectory ? openDirectory(path) : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        if (fstatSync(fd).dev === fstatSync(dirFd).dev) return { fd }
        closeSync(fd)
        return { refused: 'mount', at: names.join('/') }
      } catch (error) {
        const refused = refusalOf((error as NodeJS.ErrnoException).code, pathOf(dirFd), names)
        if (refused) return refused
        throw error
      }
    },
    childPath,
    change: { ...calls, create: (dirFd, name) => open(childPath(dirFd, name), O_WRONLY | O_CREAT | O_EXCL, 0o600) },
  }
}

type Call = (...values: (number | Buffer)[]) => number

function loadCalls({ libc, errno, removeDirectoryFlag }: LinklessParts): Omit<Changes, 'create'> | null {
  try {
    const ffi = createRequire(import.meta.url)('node:ffi') as typeof import('node:ffi')
    const lib = new ffi.DynamicLibrary(libc)
    const load = (name: string, types: readonly ('int32' | 'buffer' | 'uint32')[]) =>
      lib.getFunction(name, { arguments: [...types], return: 'int32' }) as unknown as Call
    const errnoAt = lib.getFunction(errno, { arguments: [], return: 'pointer' }) as unknown as () => bigint
    const orThrow = (name: string, result: number) => {
      if (result < 0) throw systemError(name, ffi.getInt32(errnoAt()))
    }
    const renameat = load('renameat', ['int32', 'buffer', 'int32', 'buffer'])
    const linkat = load('linkat', ['int32', 'buffer', 'int32', 'buffer', 'int32'])
    const symlinkat = load('symlinkat', ['buffer', 'int32', 'buffer'])
    const unlinkat = load('unlinkat', ['int32', 'buffer', 'int32'])
    const mkdirat = load('mkdirat', ['int32', 'buffer', 'uint32'])
    const text = (name: string) => Buffer.from(`${name}\0`)
    return {
      link: (dirFd, name, toFd, second) => orThrow('linkat', linkat(dirFd, text(name), toFd, text(second), 0)),
      symlink: (dirFd, name, target) => orThrow('symlinkat', symlinkat(Buffer.concat([target, Buffer.alloc(1)]), dirFd, text(name))),
      rename: (dirFd, name, toFd, to) => orThrow('renameat', renameat(dirFd, text(name), toFd, text(to))),
      unlink: (dirFd, name) => orThrow('unlinkat', unlinkat(dirFd, text(name), 0)),
      makeDirectory: (dirFd, name) => orThrow('mkdirat', mkdirat(dirFd, text(name), 0o755)),
      removeDirectory: (dirFd, name) => orThrow('unlinkat', unlinkat(dirFd, text(name), removeDirectoryFlag)),
    }
  } catch {
    return null // another system, or a Node without node:ffi
  }
}

function systemError(call: string, number: number): Error {
  const [code = 'UNKNOWN'] = getSystemErrorMap().get(-number) ?? []
  return Object.assign(new Error(`${code}: ${call}`), { code, errno: -number, syscall: call })
}

/** null for an error that refuses nothing. Which component it was is looked for afterwards, for the message alone. */
function refusalOf(code: string | undefined, directory: string, names: readonly string[]): Opened | null {
  const at = names.join('/')
  switch (code) {
    case 'ENOENT':
      return { refused: 'absent', at }
    case 'EACCES':
    case 'EPERM':
    case 'ENAMETOOLONG':
    case 'EILSEQ':
      return { refused: 'forbidden', at }
    case 'ENXIO':
    case 'EOPNOTSUPP':
      return { refused: 'special', at }
    case 'ELOOP':
    case 'ENOTDIR':
      return inTheWay(directory, names) ?? { refused: 'moving', at }
    default:
      return null
  }
}

function inTheWay(directory: string, names: readonly string[]): Opened | null {
  for (let length = 1; length <= names.length; length++) {
    const some = names.slice(0, length)
    const found = lstatSync(join(directory, ...some), { throwIfNoEntry: false })
    if (!found) return null
    if (found.isSymbolicLink()) return { refused: 'symlink', at: some.join('/') }
    if (!found.isDirectory()) return { refused: 'not_directory', at: some.join('/') }
  }
  return null
}

/** The path of an open directory, as long as it leads there. */
function checked(dirFd: number, path: string): string {
  const held = fstatSync(dirFd)
  const now = lstatSync(path, { throwIfNoEntry: false })
  if (now?.ino === held.ino && now.dev === held.dev) return path
  throw new VpError('path.denied', 'a directory on the way was replaced or moved while vp held it open', { rule: 'no-symlinks' })
}
