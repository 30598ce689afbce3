/**
 * This process among others: who it is, and whether another is alive. A pid alone is reused; with the boot and the
 * start time it is not. Without /proc (macOS) both are zero, and whoever has the pid now is taken for the one that had it.
 * Source: proc(5), field 22 of /proc/PID/stat.
 */
import { readFileSync } from 'node:fs'
import type { Clock } from '../core/ports.ts'
import { isThere } from '../core/is-there.ts'

const PROC = '/proc'

/** `vp-<boot>-<pid>-<start>`: also the marker in the environment of what it starts. */
export function workerName(pid: number, proc = PROC): string {
  return `vp-${bootId(proc)}-${pid}-${startTime(pid, proc) ?? 0}`
}

export function isWorkerAlive(worker: string, proc = PROC): boolean {
  const [, boot, pid, start] = /^vp-([0-9a-f]{8})-(\d+)-(\d+)$/.exec(worker) ?? []
  if (pid === undefined || boot !== bootId(proc)) return false
  const now = startTime(Number(pid), proc)
  return now === null ? start === '0' && isThere(Number(pid)) : String(now) === start
}

function bootId(proc: string): string {
  try {
    return readFileSync(`${proc}/sys/kernel/random/boot_id`, 'utf8').slice(0, 8)
  } catch {
    return '00000000'
  }
}

function startTime(pid: number, proc: string): number | null {
  try {
    const stat = readFileSync(`${proc}/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : Number(fields[19])
  } catch {
    return null
  }
}

/** ms. Not by `performance`, which loads more than a status needs. */
export const systemClock: Clock = { now: () => Date.now(), monotonic: () => Number(process.hrtime.bigint()) / 1e6 }
