/**
 * Limits that the kernel holds for each process (through `prlimit`), and the ones for the whole run that it does not
 * hold for root: resident memory, processes, CPU and what is written to disks, looked at every 200 ms.
 */
import { readFileSync, statfsSync } from 'node:fs'
import type { EndedBy, Limits } from './contract.ts'

export const WATCH_EVERY_MS = 200
/** How often the number of threads on the machine is looked at, which is one small file. */
export const TRIP_EVERY_MS = 20
const PAGE_BYTES = 4096
const TICKS_PER_SECOND = 100

/** Processes of the sandbox itself, and room for the watchdog to see that the limit is passed. */
export const BESIDE = 16

/** `prlimit` and its arguments, to stand before the command. `processes` is null for root,
 * for whom the kernel does not count. `--data`, because Node reserves far more than it uses. */
export function limitArgv(prlimit: string, limits: Limits, { processes }: { readonly processes: number | null }): string[] {
  const whole = (value: number) => String(Math.max(1, Math.floor(value)))
  return [
    prlimit,
    '--core=0',
    '--nofile=4096',
    `--fsize=${whole(limits.fileBytes)}`,
    `--data=${whole(limits.dataBytes)}`,
    // The soft limit ends a process with a signal that says why; the hard one those that ignore it.
    `--cpu=${whole(limits.cpuS)}:${whole(limits.cpuS + 1)}`,
    ...(processes === null ? [] : [`--nproc=${whole(processes + BESIDE)}`]),
    '--',
  ]
}

export interface Use {
  /** What the kernel counts as tasks: a process has at least one. */
  readonly threads: number
  readonly residentBytes: number
  /** Of the process that used most. */
  readonly cpuS: number
  /** With what children wrote that were waited for. A temporary directory in memory is not counted: it has a size of its own. */
  readonly writtenBytes: number
}

/** Sums what these processes use now; one that has ended counts nothing. */
export function measure(pids: Iterable<number>): Use {
  let threads = 0
  let residentBytes = 0
  let cpuS = 0
  let writtenBytes = 0
  for (const pid of pids) {
    const stat = readStat(pid)
    if (!stat) continue
    threads += stat.threads
    residentBytes += stat.residentBytes
    cpuS = Math.max(cpuS, stat.cpuS)
    writtenBytes += writtenBy(pid)
  }
  return { threads, residentBytes, cpuS, writtenBytes }
}

/** Fields of proc(5) `/proc/pid/stat` after the name, which may hold spaces and parentheses. */
function readStat(pid: number): Omit<Use, 'writtenBytes'> | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    // Ended between the listing and now.
    return null
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return null
  return {
    threads: Number(fields[17]),
    residentBytes: Number(fields[21]) * PAGE_BYTES,
    cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  }
}

/** Source: proc(5), `/proc/pid/io`. */
function writtenBy(pid: number): number {
  try {
    return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1] ?? 0)
  } catch {
    return 0 // ended, or a kernel that does not count
  }
}

/** Processes of this machine that were killed for want of memory, in the limits of a cgroup too. 0 where nobody counts. Source: vmstat. */
export function oomKills(): number {
  try {
    return Number(/^oom_kill (\d+)/m.exec(readFileSync('/proc/vmstat', 'latin1'))?.[1] ?? 0)
  } catch {
    return 0 // no /proc
  }
}

/** Below this the rest of the machine suffers: a run ends that finds more at its start. */
const LEAST_FREE_BYTES = 256 * 1024 * 1024

/** Tells when the disk of the tree has become nearly full since; calls that fill it without writing are not counted otherwise. */
export function diskWatch(tree: string): () => boolean {
  const free = () => {
    try {
      const { bavail, bsize } = statfsSync(tree)
      return bavail * bsize
    } catch {
      return Infinity // a disk that does not say
    }
  }
  const atStart = free()
  return () => atStart > LEAST_FREE_BYTES && free() < LEAST_FREE_BYTES
}

/** The limit of the whole run that is passed, or null. */
export function passedLimit(use: Use, limits: Limits): EndedBy | null {
  if (use.threads > limits.tasks) return 'processes'
  if (use.residentBytes > limits.totalMemoryBytes) return 'memory'
  if (use.writtenBytes > limits.writtenBytes) return 'disk'
  // The kernel ends a process at the soft limit; this is for its parent's sake, whose exit would hide the reason.
  return use.cpuS > limits.cpuS + 1.5 ? 'cpu' : null
}
