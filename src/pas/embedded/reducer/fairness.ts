/**
 * Who is next: the priority score, lane caps and the order of ready tasks. Source: contracts/pas.md section 5. Pure.
 */
import type { TaskId } from '../../../core/ids.ts'
import { FINAL_TASK, type PasLane } from '../../contract/types.ts'
import type { RunState, TaskState } from './state.ts'

export const LANE_CAPS: Readonly<Record<string, number>> = {
  'Code-Impl': 6,
  'Code-API-Design': 4,
  'Data-Schema': 2,
  'Data-Loader': 3,
  Narrative: 4,
  'Graph-Ops': 3,
  'Vector-Ops': 4,
}

export function priorityScore(terms: { urgency: number; ci_width: number; runway_risk: number; fairshare_quota: number }): number {
  const clamp = (value: number) => Math.min(1, Math.max(0, value))
  return 0.4 * terms.urgency + 0.2 * clamp(terms.ci_width) + 0.3 * terms.runway_risk + 0.1 * (1 - terms.fairshare_quota)
}

/** Queued tasks whose dependencies all succeeded. */
export function readyTasks(state: RunState): TaskState[] {
  if (state.status !== 'executing') return []
  return state.order.map((id) => state.tasks[id]).filter((task): task is TaskState => task?.status === 'queued' && isReleased(state, task))
}

export function isReleased(state: RunState, task: TaskState): boolean {
  return task.card.deps.every((dep) => state.tasks[dep]?.status === 'succeeded')
}

export interface Load {
  /** Running tasks per lane, over all runs of the machine. */
  readonly lanes: Readonly<Record<string, number>>
  readonly project: number
  readonly all: number
  /** min(lane allowlist's max_parallel, …) where it is smaller than the contract's cap. */
  readonly maxParallel?: Readonly<Record<string, number>>
}

/** The ready task to dispatch now, or null: highest score under a free lane; ties by card priority, then age. */
export function nextTask(state: RunState, load: Load, now: number, runwayMinutes: number | null): TaskId | null {
  const scored = readyTasks(state)
    .filter((task) => (load.lanes[task.card.lane] ?? 0) < laneCap(task.card.lane, load))
    .map((task) => ({ task, score: scoreOf(task, load, now, runwayMinutes) }))
    .toSorted((a, b) => b.score - a.score || b.task.card.priority - a.task.card.priority || a.task.card.payload.n - b.task.card.payload.n)
  return scored[0]?.task.task_id ?? null
}

function laneCap(lane: PasLane, load: Load): number {
  return Math.min(LANE_CAPS[lane] ?? 3, load.maxParallel?.[lane] ?? Infinity)
}

function scoreOf(task: TaskState, load: Load, now: number, runwayMinutes: number | null): number {
  const { card } = task
  const urgency =
    card.deadline_at === undefined ? card.priority : Math.min(1, Math.max(0, 1 - (card.deadline_at - now) / Math.max(1, card.deadline_at - card.created_at)))
  return priorityScore({
    urgency,
    ci_width: card.ci_width_hint,
    runway_risk: runwayMinutes === null ? 0 : Math.min(1, Math.max(0, 1 - runwayMinutes / 30)),
    fairshare_quota: load.all === 0 ? 0 : load.project / load.all,
  })
}

/** Ids of every task that waits, directly or not, for one that will never succeed. */
export function doomed(state: RunState): TaskId[] {
  const lost = new Set<string>(state.order.filter((id) => ['failed', 'skipped'].includes(state.tasks[id]?.status ?? '')))
  const found: TaskId[] = []
  for (let grown = true; grown;) {
    grown = false
    for (const id of state.order) {
      const task = state.tasks[id]
      if (!task || lost.has(id) || FINAL_TASK.has(task.status) || !task.card.deps.some((dep) => lost.has(dep))) continue
      lost.add(id)
      found.push(id)
      grown = true
    }
  }
  return found
}
