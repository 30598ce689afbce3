/**
 * The local engine: leases in the same database, so that two processes on one machine share a run, and the
 * survivor of a kill takes over at once: a worker that is no longer alive loses its leases whatever the clock says.
 */
import type { Clock, Random } from '../../../core/ports.ts'
import { hex, type RunId, type TaskId } from '../../../core/ids.ts'
import type { Store, Tx } from '../../../store/contract.ts'
import { runwayMinutes } from '../reducer/budget.ts'
import { nextTask, type Load } from '../reducer/fairness.ts'
import type { RunState } from '../reducer/state.ts'
import { appendEvents, requireRun } from '../run-store.ts'
import type { Claim, Lease, TaskQueue } from './queue.ts'

export interface LocalEngineOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  /** This process, in words that `isAlive` of another process understands. */
  readonly worker: string
  isAlive(worker: string): boolean
  readonly leaseMs?: number
  readonly maxParallel?: Readonly<Record<string, number>>
}

interface LeaseRow {
  readonly task_id: TaskId
  readonly run_id: RunId
  readonly project_id: number
  readonly lane: string
  readonly attempt: number
  readonly token: string
  readonly worker: string
  readonly expires_at: number
}

export const LEASE_MS = 60_000

export function localEngine(options: LocalEngineOptions): TaskQueue {
  const leaseMs = options.leaseMs ?? LEASE_MS
  return {
    claim: (runId) =>
      options.store.transaction(async (tx): Promise<Claim> => {
        await giveBack(tx, options, runId)
        const state = await requireRun(tx, runId)
        const leases = await tx.all<LeaseRow>('SELECT * FROM leases')
        const task = nextTask(state, loadOf(leases, state, options.maxParallel), options.clock.now(), runwayMinutes(state, options.clock.now()))
        if (task === null) {
          // A task that only waits until other runs leave its lane room has those in its way as well.
          const isCrowded = nextTask(state, loadOf([], state, options.maxParallel), options.clock.now(), null) !== null
          const inTheWay = leases.filter((lease) => lease.worker !== options.worker && (isCrowded || lease.run_id === runId))
          return { kind: 'idle', state, others: inTheWay.length }
        }
        const lease: Lease = {
          run_id: runId,
          task_id: task,
          attempt: (state.tasks[task]?.attempt ?? 0) + 1,
          token: hex(options.random, 8),
        }
        const claimed = await appendEvents(tx, options.clock.now(), runId, [
          { type: 'task_claimed', task_id: task, attempt: lease.attempt, worker: options.worker },
        ])
        await tx.run(
          'INSERT INTO leases (task_id, run_id, project_id, lane, attempt, token, worker, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
          task,
          runId,
          state.project_id,
          state.tasks[task]?.card.lane ?? '',
          lease.attempt,
          lease.token,
          options.worker,
          options.clock.now() + leaseMs,
        )
        return { kind: 'leased', lease, state: claimed.state }
      }),
    reclaim: (runId) =>
      options.store.transaction(async (tx) => {
        await giveBack(tx, options, runId)
        return (await tx.all('SELECT task_id FROM leases WHERE run_id = ?', runId)).length
      }),
    beat: (lease) =>
      options.store.transaction(async (tx) => {
        const changed = await tx.run(
          'UPDATE leases SET expires_at = ? WHERE task_id = ? AND token = ?',
          options.clock.now() + leaseMs,
          lease.task_id,
          lease.token,
        )
        return changed === 1
      }),
    settle: async (tx, lease) => (await tx.run('DELETE FROM leases WHERE task_id = ? AND token = ?', lease.task_id, lease.token)) === 1,
  }
}

/** Attempts whose worker is dead or silent go back to the queue. A merge under way is left to its recovery. */
async function giveBack(tx: Tx, options: LocalEngineOptions, runId: RunId): Promise<void> {
  const now = options.clock.now()
  // A clock that was set back leaves leases far in the future. Who holds them may well be at work: one lease more to say so.
  const latest = now + (options.leaseMs ?? LEASE_MS)
  await tx.run('UPDATE leases SET expires_at = ? WHERE expires_at > ?', latest, latest)
  const leases = await tx.all<LeaseRow>('SELECT * FROM leases')
  const silent = (lease: LeaseRow) => lease.expires_at < now
  for (const lease of leases) {
    if (lease.worker !== options.worker && options.isAlive(lease.worker) && !silent(lease)) continue
    if (lease.worker === options.worker && !silent(lease)) continue
    await tx.run('DELETE FROM leases WHERE task_id = ? AND token = ?', lease.task_id, lease.token)
    await appendEvents(tx, now, lease.run_id, [{ type: 'lease_lost', task_id: lease.task_id, attempt: lease.attempt }])
  }
  // A task that is running without any lease was claimed by a process that died before this schema of ours knew it.
  const state = await requireRun(tx, runId)
  const held = new Set((await tx.all<{ task_id: string }>('SELECT task_id FROM leases WHERE run_id = ?', runId)).map((row) => row.task_id))
  const lost = state.order.map((id) => state.tasks[id]).filter((task) => task !== undefined && task.status === 'running' && !held.has(task.task_id))
  for (const task of lost) if (task) await appendEvents(tx, now, runId, [{ type: 'lease_lost', task_id: task.task_id, attempt: task.attempt }])
}

function loadOf(leases: readonly LeaseRow[], state: RunState, maxParallel: LocalEngineOptions['maxParallel']): Load {
  const lanes: Record<string, number> = {}
  for (const lease of leases) lanes[lease.lane] = (lanes[lease.lane] ?? 0) + 1
  return {
    lanes,
    project: leases.filter((lease) => lease.project_id === state.project_id).length,
    all: leases.length,
    ...(maxParallel ? { maxParallel } : {}),
  }
}
