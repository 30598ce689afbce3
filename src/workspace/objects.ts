/**
 * Objects of a repository, in this process: a program for each question would cost more than the question. Loose objects are
 * read from their files, packed ones by one `git cat-file --batch` that stays while it is asked; new ones are written loose.
 * Formats: git-cat-file(1), gitrepository-layout(5), and the header `<type> <size>\0` that a loose object begins with.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { nodeCrypto } from '../core/node-crypto.ts'
import type { ObjectBatch } from './object-batch.ts'

export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag'

export interface GitObject {
  readonly type: ObjectType
  readonly body: Buffer
}

export interface Objects {
  /** By its full id. Throws `workspace.git` for one that is not there, or is not what its id says. */
  read(id: string): Promise<GitObject>
  /** Its id. One that is there already is not written again. Throws `store.full`. */
  write(type: ObjectType, body: Buffer): string
  /** The file of a loose object of this repository itself, none that it borrows; null where it has none. */
  looseFile(id: string): string | null
}

/** Commits and trees are asked for again and again; blobs are not kept. */
const REMEMBERED = 2000
/** A loose object that unpacks to more than this is a bomb, or nothing that is read whole. */
const MAX_BYTES = 1024 * 1024 * 1024
const MAX_REMEMBERED_BYTES = 64 * 1024

function hash(format: 'sha1' | 'sha256', type: string, body: Buffer): string {
  return nodeCrypto().createHash(format).update(`${type} ${body.length}\0`).update(body).digest('hex')
}

/** Of a file as its bytes are, without what attributes would make of them. */
export const blobId = (format: 'sha1' | 'sha256', bytes: Buffer): string => hash(format, 'blob', bytes)

export function openObjects(gitDir: string, batch: ObjectBatch): Objects {
  const own = join(gitDir, 'objects')
  const stores = [own, ...lenders(own)]
  const known = new Map<string, GitObject>()
  let format: 'sha1' | 'sha256' | null = null

  const readLoose = (id: string): GitObject | null => {
    const file = stores.map((store) => loosePath(store, id)).find((path) => existsSync(path))
    if (file === undefined) return null
    const bytes = inflated(file, id)
    const end = bytes.indexOf(0)
    const type = bytes.subarray(0, end).toString('latin1').split(' ')[0] as ObjectType
    const body = bytes.subarray(end + 1)
    if (hash(id.length === 64 ? 'sha256' : 'sha1', type, body) !== id) throw damaged(id)
    return { type, body }
  }
  return {
    async read(id) {
      const earlier = known.get(id)
      if (earlier) return earlier
      const found = readLoose(id) ?? (await batch.read(id))
      if (found === null) throw new VpError('workspace.git', `git object ${id} is not there`, { next: ['git fsck'] })
      if (found.type !== 'blob' && found.body.length <= MAX_REMEMBERED_BYTES) {
        if (known.size >= REMEMBERED) known.clear()
        known.set(id, found)
      }
      return found
    },
    write(type, body) {
      format ??= /^\s*objectformat\s*=\s*sha256\s*$/im.test(readFileSync(join(gitDir, 'config'), 'utf8')) ? 'sha256' : 'sha1'
      const id = hash(format, type, body)
      if (stores.some((store) => existsSync(loosePath(store, id)))) return id
      putLoose(own, id, zlib().deflateSync(Buffer.concat([Buffer.from(`${type} ${body.length}\0`), body]), { level: 1 }))
      return id
    },
    looseFile(id) {
      const file = loosePath(own, id)
      return existsSync(file) ? file : null
    },
  }
}

/** Puts a loose object as it is into a store: whole, or not at all. Throws `store.full`. */
export function putLoose(store: string, id: string, bytes: Buffer): void {
  const file = loosePath(store, id)
  if (existsSync(file)) return
  // One name for one object: whoever writes it at the same time writes the same bytes.
  const fresh = join(store, `tmp_obj_vp_${id}_${process.pid}`)
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(fresh, bytes, { mode: 0o444, flush: false })
    renameSync(fresh, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw new VpError('store.full', 'no space left on the disk', { cause: error, next: ['df -h'] })
    throw new VpError('workspace.git', `git object ${id} could not be written`, { cause: error, next: ['df -h', 'vp doctor'] })
  }
}

function loosePath(store: string, id: string): string {
  return join(store, id.slice(0, 2), id.slice(2))
}

/** Stores whose objects are borrowed, by absolute path, as vp writes them. */
function lenders(store: string): string[] {
  try {
    return readFileSync(join(store, 'info', 'alternates'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('/'))
  } catch {
    return [] // borrows nothing
  }
}

function inflated(file: string, id: string): Buffer {
  try {
    return zlib().inflateSync(readFileSync(file), { maxOutputLength: MAX_BYTES })
  } catch (cause) {
    throw damaged(id, cause)
  }
}

function damaged(id: string, cause?: unknown): VpError {
  return new VpError('workspace.git', `git object ${id} is damaged`, { ...(cause === undefined ? {} : { cause }), next: ['git fsck'] })
}

function zlib(): typeof import('node:zlib') {
  return process.getBuiltinModule('node:zlib')
}
