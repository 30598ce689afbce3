/**
 * This process among others: who it is, and whether another is alive. A pid alone is reused; with the boot and the
 * start time it is not. Source: proc(5), field 22 of /proc/PID/stat.
 */
import { readFileSync } from 'node:fs'
import type { Clock } from '../core/ports.ts'

/** `vp-<boot>-<pid>-<start>`: also the marker in the environment of what it starts. */
export function workerName(pid: number): string {
  return `vp-${bootId()}-${pid}-${startTime(pid) ?? 0}`
}

export function isWorkerAlive(worker: string): boolean {
  const [, boot, pid, start] = /^vp-([0-9a-f]{8})-(\d+)-(\d+)$/.exec(worker) ?? []
  return boot === bootId() && pid !== undefined && String(startTime(Number(pid))) === start
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)
  } catch {
    return '00000000' // no /proc: one boot is taken for all, and liveness rests on the lease alone
  }
}

function startTime(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : Number(fields[19])
  } catch {
    return null
  }
}

/** ms. Not by `performance`, which loads more than a status needs. */
export const systemClock: Clock = { now: () => Date.now(), monotonic: () => Number(process.hrtime.bigint()) / 1e6 }
