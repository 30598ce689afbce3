/**
 * One ref of a repository that vp knows, moved where it was seen to stand. Most are a file of their own, which is moved here by
 * git's own rules (a `.lock` beside it, the log before the ref); whatever is not as simple as that is git's to do or to refuse.
 * Formats: gitrepository-layout(5), git-update-ref(1); a line of a log is `<old> <new> <name> <<email>> <seconds> <zone>`.
 */
import { appendFileSync, closeSync, existsSync, fsync, lstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import { refuseLinkedRef } from './git-directory.ts'
import { NOBODY, readRef, type RunGit } from './git.ts'

interface RefPorts {
  readonly git: RunGit
  readonly clock: Clock
}

interface RefMove {
  readonly ref: string
  readonly to: string
  readonly from: string | null
}

/**
 * Moves a ref only if it still stands where the caller saw it (`from` null: it must not exist), or stands at `to` by now:
 * two that drive one run do the same. Throws `workspace.git` otherwise, `workspace.unsupported` for one behind a link.
 */
export async function moveRef({ git, clock }: RefPorts, gitDir: string, ref: string, to: string, from: string | null): Promise<void> {
  refuseLinkedRef(gitDir, ref)
  if (await moveOwnFile(clock, gitDir, { ref, to, from })) return
  try {
    await git(['update-ref', ref, to, from ?? zeros(to)], { gitDir })
  } catch (error) {
    if ((await readRef(git, gitDir, ref)) !== to) throw error
  }
}

/** False, and nothing changed, where the move is not plain: it stands elsewhere, is packed, is locked, or another name is in its way. */
async function moveOwnFile(clock: Clock, gitDir: string, move: RefMove): Promise<boolean> {
  const file = join(gitDir, move.ref)
  if (!OWN_FILE.test(move.ref) || move.ref.includes('..') || !isAt(gitDir, move)) return false
  const lock = `${file}.lock`
  const fd = await lockedAt(clock, lock)
  if (fd === null) return false
  try {
    if (isAt(gitDir, move)) {
      writeLog(gitDir, move, clock.now())
      writeSync(fd, `${move.to}\n`)
      await synced(fd)
      renameSync(lock, file)
      return true
    }
    rmSync(lock)
    return false
  } catch (error) {
    rmSync(lock, { force: true })
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw new VpError('store.full', 'no space left on the disk', { cause: error, next: ['df -h'] })
    return false
  } finally {
    closeSync(fd)
  }
}

/** Names that only vp writes. */
const OWN_FILE = /^refs\/(heads\/vp|heads\/replay|vp)(\/|$)[\w./-]*$/

/** Off this thread: a disk takes its time. */
function synced(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fsync(fd, (error) => (error ? reject(error) : resolve())))
}

/** Nobody takes so long for a ref of a run: a vp was killed between the lock and the move. */
const STALE_MS = 10_000

/** Null where there is no place for it. */
async function lockedAt(clock: Clock, lock: string): Promise<number | null> {
  for (;;)
    try {
      mkdirSync(dirname(lock), { recursive: true })
      return openSync(lock, 'wx')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return null
      const held = lstatSync(lock, { throwIfNoEntry: false })
      if (held && !held.isFile()) return null
      if (held && clock.now() - held.mtimeMs > STALE_MS) rmSync(lock, { force: true })
      else await new Promise((resolve) => setTimeout(resolve, 20))
    }
}

function isAt(gitDir: string, { ref, from }: RefMove): boolean {
  return standsAt(join(gitDir, ref), from) && !isPacked(gitDir, ref)
}

function standsAt(file: string, at: string | null): boolean {
  if (at === null) return lstatSync(file, { throwIfNoEntry: false }) === undefined
  try {
    return readFileSync(file, 'utf8') === `${at}\n`
  } catch {
    return false // packed, or a folder
  }
}

/** It, one below it or one that is a folder of it: the file alone does not say what it stands at, or whether it may be. */
function isPacked(gitDir: string, ref: string): boolean {
  if (!existsSync(join(gitDir, 'packed-refs'))) return false
  const text = readFileSync(join(gitDir, 'packed-refs'), 'utf8')
  const parts = ref.split('/')
  return text.includes(` ${ref}`) || parts.some((_, depth) => text.includes(` ${parts.slice(0, depth + 1).join('/')}\n`))
}

/** As git has it: branches have a log, in a repository that keeps logs. */
function writeLog(gitDir: string, { ref, to, from }: RefMove, epochMs: number): void {
  const logs = join(gitDir, 'logs')
  if (!ref.startsWith('refs/heads/') || !existsSync(logs)) return
  mkdirSync(dirname(join(logs, ref)), { recursive: true })
  appendFileSync(join(logs, ref), `${from ?? zeros(to)} ${to} ${NOBODY.name} <${NOBODY.email}> ${Math.floor(epochMs / 1000)} +0000\n`)
}

function zeros(id: string): string {
  return '0'.repeat(id.length)
}
