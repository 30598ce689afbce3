/**
 * The part of /etc that programs fail without: names, time zone, certificates, the linker's cache. Its small files are
 * copied into one directory, since every mount costs each sandboxed command a tenth of a millisecond.
 */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import type { Stats } from 'node:fs'
import { dirname, join } from 'node:path'

export const ETC_PATHS = [
  'ld.so.cache',
  'alternatives',
  'passwd',
  'group',
  'hosts',
  'nsswitch.conf',
  'localtime',
  'ssl/certs',
  'ssl/openssl.cnf',
  'pki/tls/certs',
  'mime.types',
  'os-release',
  'protocols',
  'services',
].map((name) => `/etc/${name}`)
export const ETC_NETWORK = ['/etc/resolv.conf', '/etc/host.conf', '/etc/gai.conf']

const COPY_AT_MOST = 1024 * 1024
const KEEP_MS = 24 * 60 * 60 * 1000

interface Entry {
  readonly path: string
  readonly real: string
  readonly stats: Stats
}

/** What to bind read-only, and where, so that those of `paths` that exist are there. The copy lives below `base` for as long as the originals stay as they are. */
export function etcMounts(paths: readonly string[], base: string): readonly (readonly [from: string, at: string])[] {
  const entries = paths.flatMap(entryAt)
  const copy = join(realpathSync(base), `etc-${fingerprint(entries)}`)
  if (!existsSync(copy)) makeCopy(copy, entries)
  const mounted = entries.filter((entry) => !isLinked(entry) && !isCopied(entry))
  return [[copy, '/etc'], ...mounted.map(({ path, real }) => [real, path] as const)]
}

function entryAt(path: string): Entry[] {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats ? [{ path, real: realpathSync(path), stats }] : []
}

/** The sandbox has all of /usr. */
const isLinked = ({ real }: Entry): boolean => real.startsWith('/usr/')

/** Only what everybody may read, so that a copy by root tells nobody anything new. */
const isCopied = ({ stats }: Entry): boolean => stats.isFile() && (stats.mode & 0o004) !== 0 && stats.size <= COPY_AT_MOST

function fingerprint(entries: readonly Entry[]): string {
  const said = entries.map(({ path, real, stats }) => `${path}\0${real}\0${stats.ino}\0${stats.size}\0${stats.mtimeMs}\0${stats.mode}\n`)
  return createHash('sha256').update(said.join('')).digest('hex').slice(0, 16)
}

/** Whole or not at all: two that make it at once make the same. */
function makeCopy(copy: string, entries: readonly Entry[]): void {
  const making = mkdtempSync(`${copy}.`)
  for (const entry of entries) {
    const at = join(making, entry.path.slice('/etc/'.length))
    mkdirSync(dirname(at), { recursive: true })
    if (isLinked(entry)) symlinkSync(entry.real, at)
    else if (isCopied(entry)) {
      writeFileSync(at, readFileSync(entry.real), { mode: 0o444 })
      utimesSync(at, entry.stats.atime, entry.stats.mtime)
    } else if (entry.stats.isDirectory()) mkdirSync(at)
    else writeFileSync(at, '', { mode: 0o444 })
  }
  try {
    renameSync(making, copy)
  } catch (error) {
    rmSync(making, { recursive: true, force: true })
    if (!existsSync(copy)) throw error
  }
  removeOld(copy)
}

/** A day, so that nobody's copy goes while it is being mounted. */
function removeOld(copy: string): void {
  const now = statSync(copy).mtimeMs
  for (const name of readdirSync(dirname(copy))) {
    const at = join(dirname(copy), name)
    if (!name.startsWith('etc-') || at === copy) continue
    const stats = statSync(at, { throwIfNoEntry: false })
    if (stats && now - stats.mtimeMs > KEEP_MS) rmSync(at, { recursive: true, force: true })
  }
}
