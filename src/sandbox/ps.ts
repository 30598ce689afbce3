/**
 * The processes of a run where there is no /proc, as ps(1) tells them: macOS. Every 200 ms, by descent and by group. One
 * that left both between two looks is not found. Leaves out: threads and bytes written, which ps does not tell.
 */
import { execFile, execFileSync } from 'node:child_process'
import { BESIDE, diskWatch, passedLimit, WATCH_EVERY_MS, type Use } from './limits.ts'
import type { Watch } from './watch.ts'

export interface PsRow {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly residentBytes: number
  readonly cpuS: number
}

const ARGS = ['-axo', 'pid=,ppid=,pgid=,rss=,time=']
/** The decimal point of a time depends on the language. */
const SETTINGS = { env: { LC_ALL: 'C' }, maxBuffer: 16 * 1024 * 1024, timeout: 5000 }

/** Rows of `ps -axo pid=,ppid=,pgid=,rss=,time=`; a line that is none is left out. Source: ps(1) of macOS and of procps. */
export function parsePs(text: string): PsRow[] {
  return text.split('\n').flatMap((line) => {
    const [, pid, parent, group, kilobytes, time] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s*$/.exec(line) ?? []
    const cpuS = time === undefined ? null : parseTime(time)
    if (cpuS === null) return []
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), residentBytes: Number(kilobytes) * 1024, cpuS }]
  })
}

/** Seconds of `M:SS.cc` (macOS) or `[D-]H:MM:SS` (procps); null for anything else. */
export function parseTime(text: string): number | null {
  const [, days = '0', hours = '0', minutes, seconds] = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text) ?? []
  if (minutes === undefined || seconds === undefined) return null
  return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

/** The leader, all of its group, and what descends from any of them. */
export function familyOf(rows: readonly PsRow[], leader: number): PsRow[] {
  const family = new Map<number, PsRow>()
  const children = Map.groupBy(rows, ({ parent }) => parent)
  const add = (row: PsRow) => {
    if (family.has(row.pid)) return
    family.set(row.pid, row)
    for (const child of children.get(row.pid) ?? []) add(child)
  }
  for (const row of rows) if (row.pid === leader || row.group === leader) add(row)
  return [...family.values()]
}

export function useOf(family: readonly PsRow[]): Use {
  return {
    threads: family.length,
    residentBytes: family.reduce((sum, row) => sum + row.residentBytes, 0),
    cpuS: Math.max(0, ...family.map(({ cpuS }) => cpuS)),
    writtenBytes: 0,
  }
}

/** Members of the family that left its group, and are there still as they were seen. */
export function leftOf(seen: ReadonlyMap<number, number>, rows: readonly PsRow[], leader: number): number[] {
  return rows.filter(({ pid, group }) => group !== leader && seen.get(pid) === group).map(({ pid }) => pid)
}

export interface PsWatch {
  readonly watch: Watch
  /** Who was seen in the run and has left its group since; asks ps once more when there is anybody. */
  strays(): readonly number[]
}

/** For one run. */
export function psWatch(ps: string): PsWatch {
  /** Process → group of those outside the leader's. */
  const seen = new Map<number, number>()
  let leader = 0
  const watch: Watch = (pid, { limits, tree, end }) => {
    leader = pid
    const isDiskFull = diskWatch(tree)
    const look = (rows: readonly PsRow[]) => {
      const family = familyOf(rows, pid)
      for (const row of family) if (row.group !== pid && row.pid !== pid) seen.set(row.pid, row.group)
      const reason = family.length > limits.tasks + BESIDE ? 'processes' : passedLimit(useOf(family), limits)
      if (reason) end(reason)
      else if (isDiskFull()) end('disk')
    }
    let isStopped = false
    let timer: NodeJS.Timeout
    const again = () => {
      timer = setTimeout(() => {
        execFile(ps, ARGS, SETTINGS, (error, stdout) => {
          if (isStopped) return
          // A look that failed, on a machine without a process to spare, is made again.
          if (!error) look(parsePs(stdout))
          again()
        })
      }, WATCH_EVERY_MS)
    }
    again()
    return () => {
      isStopped = true
      clearTimeout(timer)
    }
  }
  return { watch, strays: () => (seen.size === 0 ? [] : leftOf(seen, allRows(ps), leader)) }
}

function allRows(ps: string): PsRow[] {
  try {
    return parsePs(execFileSync(ps, ARGS, { ...SETTINGS, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    return [] // then they live on, in their profile, as one that was never seen
  }
}

/** Processes of one user: what RLIMIT_NPROC counts. */
export function processesOf(ps: string, uid: number): number {
  const all = execFileSync(ps, ['-axo', 'uid='], { ...SETTINGS, encoding: 'utf8' })
  return all.split('\n').filter((line) => line.trim() === String(uid)).length
}
