/** One barrier for many new files: syncfs(2) through node:ffi. Where that is missing each file is synced by itself. */
import { closeSync, constants, fsyncSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Under this many, a sync of each is cheaper than one of everything that others wrote meanwhile. */
export const MANY_FILES = 8

type SyncFs = (fd: number) => number

/** Makes durable what was written below `directory`, or, without syncfs, the `files` themselves. Throws what fsync throws. */
export function syncFiles(directory: string, files: readonly string[]): void {
  const syncfs = files.length >= MANY_FILES ? loadSyncfs() : null
  if (syncfs && syncedBy(syncfs, directory)) return
  for (const file of files) withDescriptor(file, constants.O_RDONLY | constants.O_NOFOLLOW, fsyncSync)
}

function syncedBy(syncfs: SyncFs, directory: string): boolean {
  let result = -1
  withDescriptor(directory, constants.O_RDONLY | constants.O_DIRECTORY, (fd) => (result = syncfs(fd)))
  return result === 0
}

function withDescriptor(path: string, flags: number, use: (fd: number) => void): void {
  const fd = openSync(path, flags)
  try {
    use(fd)
  } finally {
    closeSync(fd)
  }
}

function loadSyncfs(): SyncFs | null {
  try {
    const ffi = createRequire(import.meta.url)('node:ffi') as typeof import('node:ffi')
    return new ffi.DynamicLibrary('libc.so.6').getFunction('syncfs', { arguments: ['int32'], return: 'int32' }) as unknown as SyncFs
  } catch {
    return null // another libc, or a Node without node:ffi: then file by file
  }
}
