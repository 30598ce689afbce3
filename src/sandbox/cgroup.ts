/**
 * A process cap that the kernel holds for root too: a pids cgroup of its own for a run, where this user may make one.
 * Best effort: without it the watchdog stands alone. v1 is tested, v2 as documented in cgroup-v2.rst.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ProcessCap {
  /** What to start instead of a program, so that it is in before it has forked. */
  inside(file: string, args: readonly string[]): { readonly file: string; readonly args: readonly string[] }
  /** Whether the kernel has refused a fork. */
  isHit(): boolean
  remove(): void
}

/** Fixed text. Moving a process in from outside comes too late: what it forked before stays out. */
const ENTER = 'echo $$ >"$0" && exec "$@"'
const REMOVE_TRIES = 50
const REMOVE_PAUSE_MS = 20

/** null where cgroups are absent, read-only or without the pids controller. `owner` is vp's own process id. */
export function processCap(owner: number, name: string, tasks: number): ProcessCap | null {
  try {
    const parent = ownGroup()
    if (parent === null) return null
    sweep(parent, owner)
    const group = join(parent, `vp-${owner}-${name}`)
    mkdirSync(group)
    try {
      writeFileSync(join(group, 'pids.max'), String(tasks))
    } catch {
      rmdirSync(group)
      return null
    }
    return {
      inside: (file, args) => ({ file: '/bin/sh', args: ['-c', ENTER, join(group, 'cgroup.procs'), file, ...args] }),
      isHit: () => /^max [1-9]/m.test(readFileSync(join(group, 'pids.events'), 'latin1')),
      remove: () => removeGroup(group),
    }
  } catch {
    // Not allowed here: said in the weaknesses of a run as root.
    return null
  }
}

/** The directory of the cgroup that counts this process. */
function ownGroup(): string | null {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n')
  const v1 = lines.map((line) => /^\d+:(?:.*,)?pids(?:,.*)?:(.*)$/.exec(line)?.[1]).find((path) => path !== undefined)
  const v2 = lines.map((line) => /^0::(.*)$/.exec(line)?.[1]).find((path) => path !== undefined)
  const places = [...(v1 === undefined ? [] : [join('/sys/fs/cgroup/pids', v1)]), ...(v2 === undefined ? [] : [join('/sys/fs/cgroup', v2)])]
  return places.find((place) => existsSync(join(place, 'cgroup.procs'))) ?? null
}

/** Groups of a vp that was killed are empty by now. */
function sweep(parent: string, owner: number): void {
  for (const name of readdirSync(parent)) {
    const pid = /^vp-(\d+)-/.exec(name)?.[1]
    if (pid === undefined || Number(pid) === owner || existsSync(`/proc/${pid}`)) continue
    removeGroup(join(parent, name), 1)
  }
}

/** The kernel takes a moment to count out what was killed; what is left then is for the sweep of a later vp. */
function removeGroup(group: string, tries = REMOVE_TRIES): void {
  try {
    rmdirSync(group)
  } catch {
    if (tries > 1) setTimeout(() => removeGroup(group, tries - 1), REMOVE_PAUSE_MS).unref()
  }
}
