/**
 * Directories below the state directory that last as long as one operation. Their names say whose they are, so that what a
 * killed process left behind is known and swept; a directory without an owner in its name is left over after a day.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Kit } from './kit.ts'

type Owner = Pick<Kit, 'paths' | 'worker'>

export function scratchParent({ paths }: Pick<Kit, 'paths'>): string {
  const parent = join(paths.state, 'tmp')
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  return parent
}

export function makeScratch(kit: Owner, kind: 'run' | 'git' | 'held' | 'replay' | 'capability'): string {
  return mkdtempSync(join(scratchParent(kit), `${kind}-${kit.worker}-`))
}

const OURS = /^(?:run|git|held|replay|capability|attributes|sign)-(?:(.+)-)?\w{6}$/
const DAY_MS = 86_400_000

/** Removes what no living process owns; how many that were. */
export function sweepScratch(kit: Pick<Kit, 'paths' | 'clock' | 'isAlive'>): number {
  const parent = scratchParent(kit)
  const left = readdirSync(parent).filter((name) => {
    const [ours, owner] = OURS.exec(name) ?? []
    return ours !== undefined && (owner === undefined ? isOld(join(parent, name), kit.clock.now()) : !kit.isAlive(owner))
  })
  return left.filter((name) => isRemoved(join(parent, name))).length
}

function isOld(path: string, now: number): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && now - found.mtimeMs > DAY_MS
}

/** Another vp may sweep at the same time, and a command may have made what its user cannot remove: neither is in the way of anything. */
function isRemoved(path: string): boolean {
  try {
    rmSync(path, { recursive: true, force: true })
    return true
  } catch {
    return false
  }
}
