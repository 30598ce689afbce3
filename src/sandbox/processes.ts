/**
 * The processes of a run, found from outside through /proc: by descent, and by the marker in their environment when
 * descent was cut. Without /proc nothing is found. A process that overwrote its own environment and left its parent is not found by the marker.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { MARKER_NAME } from './environment.ts'

const ROUNDS = 100
// oxlint-disable-next-line no-control-regex
const MARKER = new RegExp(`(?:^|\\0)${MARKER_NAME}=([^\\0]*)\\0`)

/** `pid` and what is below it now, up to a few more than `enough`: a bomb grows faster than one can count. */
export function descendants(pid: number, enough: number): Set<number> {
  const found = new Set<number>([pid])
  for (const parent of found) {
    for (const child of childrenOf(parent)) found.add(child)
    if (found.size > enough) break
  }
  return found
}

/** Threads on the whole machine: one cheap look that tells a bomb early. Source: proc(5), loadavg. */
export function threadsOnMachine(): number {
  return Number(/\/(\d+) /.exec(read('/proc/loadavg'))?.[1] ?? 0)
}

/** Threads of one user: what RLIMIT_NPROC counts where no user namespace starts a count of its own. */
export function threadsOf(uid: number): number {
  let threads = 0
  for (const name of list('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue
    const status = read(`/proc/${name}/status`)
    if (status.includes(`\nUid:\t${uid}\t`)) threads += Number(/^Threads:\s*(\d+)/m.exec(status)?.[1] ?? 0)
  }
  return threads
}

/** The whole process group at once: the kernel lets no member fork meanwhile. */
export function killGroup(leader: number): void {
  if (leader > 1) kill(-leader)
}

function childrenOf(pid: number): number[] {
  const children: number[] = []
  for (const thread of list(`/proc/${pid}/task`))
    for (const child of read(`/proc/${pid}/task/${thread}/children`).split(' ')) if (child !== '') children.push(Number(child))
  return children
}

/** Every process whose environment carries the marker. */
export function markedProcesses(marker: string): number[] {
  return processesWhere((found) => found === marker)
}

/** Every process that has the word among its arguments. */
export function namedProcesses(word: string): number[] {
  return list('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && read(`/proc/${name}/cmdline`).split('\0').includes(word))
    .map(Number)
}

/** Kills what still carries the marker, until nothing does. Gives how many were killed. */
export function killLeftovers(marker: string): number {
  return killUntilQuiet(() => markedProcesses(marker))
}

/**
 * The same for every marker that `isOrphaned` picks, in this process namespace only: from outside a container the
 * owners of what runs in it cannot be judged. What has a namespace of its own dies with its parent, but for a moment
 * at its start: so first every box whose parent is gone.
 */
export function killOrphans(isOrphaned: (marker: string) => boolean): number {
  const ours = namespaceOf('self')
  lostBoxes().forEach(kill)
  return killUntilQuiet(() => processesWhere(isOrphaned).filter((pid) => namespaceOf(pid) === ours))
}

/**
 * First processes of namespaces one below ours whose parent is not of the same run: the parent was killed before the
 * child had asked to die with it.
 */
function lostBoxes(): number[] {
  const depth = pidsOf('self').length
  return processesWhere(() => true).filter((pid) => {
    const pids = pidsOf(pid)
    if (pids.length !== depth + 1 || pids.at(-1) !== '1') return false
    const parent = /^PPid:\t(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]
    // A parent that cannot be read is no proof.
    return parent === '1' || (read(`/proc/${parent}/environ`) !== '' && markerOf(parent ?? '') !== markerOf(pid))
  })
}

/** Of one process in each namespace that has it, ours first. Source: proc(5), `NSpid`. */
function pidsOf(pid: number | 'self'): string[] {
  return (/^NSpid:\t(.*)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? '').split('\t')
}

function processesWhere(isWanted: (marker: string) => boolean): number[] {
  return list('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((pid) => {
      const marker = markerOf(pid)
      return marker !== undefined && isWanted(marker)
    })
    .map(Number)
}

const markerOf = (pid: number | string): string | undefined => MARKER.exec(read(`/proc/${pid}/environ`))?.[1]

function killUntilQuiet(find: () => readonly number[]): number {
  const killed = new Set<number>()
  for (let round = 0; round < ROUNDS; round++) {
    const found = find().filter((pid) => pid > 1 && isAlive(pid) && kill(pid))
    if (found.length === 0) break
    for (const pid of found) killed.add(pid)
  }
  return killed.size
}

function namespaceOf(pid: number | 'self'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return '' // gone, or of another user
  }
}

/** False when it was gone already, or is not ours. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`)
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
  return state !== '' && state !== 'Z' && state !== 'X'
}

/** Processes come and go while one reads: what is gone has no entries and no text. */
function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
