/** Bytes that may be wanted back, under their own hash, in the state directory. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { hex } from '../core/ids.ts'
import { sha256 } from '../core/json.ts'
import { syncFiles } from '../workspace/sync-file-system.ts'
import type { Kit } from './kit.ts'

function blobPath(blobs: string, sha: string): string {
  return join(blobs, sha.slice(0, 2), sha)
}

/** Content-addressed; a second time is free. Throws `store.full`. */
export function keepBlob(kit: Pick<Kit, 'paths' | 'random'>, bytes: Uint8Array): string {
  return keepBlobs(kit, [bytes])[0] ?? ''
}

/** Their hashes, in order. All are on the disk when it returns. */
export function keepBlobs(kit: Pick<Kit, 'paths' | 'random'>, all: readonly Uint8Array[]): string[] {
  const fresh: { temporary: string; path: string }[] = []
  try {
    const shas = all.map((bytes) => {
      const sha = sha256(bytes)
      const path = blobPath(kit.paths.blobs, sha)
      if (existsSync(path)) return sha
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      const temporary = `${path}.${hex(kit.random, 4)}`
      fresh.push({ temporary, path })
      writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600 })
      return sha
    })
    syncFiles(
      kit.paths.blobs,
      fresh.map(({ temporary }) => temporary),
    )
    for (const { temporary, path } of fresh) renameSync(temporary, path)
    return shas
  } catch (error) {
    for (const { temporary } of fresh) rmSync(temporary, { force: true })
    throw error
  }
}

function soundBlob(kit: Pick<Kit, 'paths'>, sha: string): Buffer | null {
  try {
    const bytes = readFileSync(blobPath(kit.paths.blobs, sha))
    return sha256(bytes) === sha ? bytes : null
  } catch {
    return null // missing and damaged are the same to who wants it back
  }
}

export function hasBlob(kit: Pick<Kit, 'paths'>, sha: string): boolean {
  return soundBlob(kit, sha) !== null
}

/** Throws `undo.not_found` when the bytes were collected or damaged. */
export function readBlob(kit: Pick<Kit, 'paths'>, sha: string): Buffer {
  const bytes = soundBlob(kit, sha)
  if (bytes) return bytes
  throw new VpError('undo.not_found', `the kept copy ${sha.slice(0, 12)} is gone or damaged`, { next: ['vp doctor'] })
}
