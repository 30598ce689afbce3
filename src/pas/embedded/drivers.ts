/**
 * Who drives a run, and since when: a row for each time that a process did. Told apart from leases, which are of single
 * attempts, so that a run that is between two of them, or validating, is known to be at work; and what time it was at
 * work is the union of these. Built-ins only: `vp status` reads it.
 */
import type { Tx } from '../../store/contract.ts'

export interface Driver {
  readonly worker: string
  readonly began_at: number
  /** Last sign of life. */
  readonly seen_at: number
  /** 1: it ended by itself. */
  readonly over: 0 | 1
}

export const SEEN_MS = 2000

export async function driversOf(tx: Tx, runId: string): Promise<Driver[]> {
  const drivers = await tx.all<Driver>('SELECT worker, began_at, seen_at, over FROM drivers WHERE run_id = ? ORDER BY rowid', runId)
  const last = drivers.at(-1)
  if (last?.over !== 0) return drivers
  // What it did is a sign of life too, and often a later one.
  const event = await tx.get<{ ts: number }>('SELECT ts FROM run_events WHERE run_id = ? ORDER BY n DESC LIMIT 1', runId)
  return [...drivers.slice(0, -1), { ...last, seen_at: Math.max(last.seen_at, event?.ts ?? 0) }]
}

/** Begins, prolongs or ends the row of one drive. */
export async function writeDriver(tx: Tx, runId: string, driver: Driver): Promise<void> {
  await tx.run(
    `INSERT INTO drivers (run_id, worker, began_at, seen_at, over) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (run_id, worker, began_at) DO UPDATE SET seen_at = excluded.seen_at, over = excluded.over`,
    runId,
    driver.worker,
    driver.began_at,
    driver.seen_at,
    driver.over,
  )
}

export function isDriven(drivers: readonly Driver[], isAlive: (worker: string) => boolean): boolean {
  return drivers.some((driver) => driver.over === 0 && isAlive(driver.worker))
}

/** How long the run was at work, in ms; null when nobody wrote down who drove it. */
export function activeMs(drivers: readonly Driver[], now: number, isAlive: (worker: string) => boolean): number | null {
  if (drivers.length === 0) return null
  let sum = 0
  let until = 0
  for (const driver of drivers.toSorted((a, b) => a.began_at - b.began_at)) {
    const end = driver.over === 0 && isAlive(driver.worker) ? Math.max(now, driver.seen_at) : driver.seen_at
    sum += Math.max(0, end - Math.max(driver.began_at, until))
    until = Math.max(until, end)
  }
  return sum
}
