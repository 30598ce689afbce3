/** What repair tasks do to a run: the commit of the person's that it stands on, and whether one is still to be done. Pure. */
import { FINAL_TASK, type MergeOfSides } from '../../contract/types.ts'
import type { RunState, TaskState } from './state.ts'

/** The person's branch that the run's head holds since its last repair; null: none but its base. */
export function lastMerge(state: RunState): MergeOfSides | null {
  return state.order.flatMap((id) => (state.tasks[id]?.status === 'succeeded' ? (state.tasks[id]?.card.payload.merge ?? []) : [])).at(-1) ?? null
}

/** The person's commit that the run's head grew from: its base, or what the last repair brought in. What lies between is the run's. */
export function groundOf(state: RunState): string {
  return lastMerge(state)?.person ?? state.base
}

/** The repair that is not done yet. */
export function openRepair(state: RunState): TaskState | null {
  return Object.values(state.tasks).find((task) => task.card.payload.merge !== undefined && !FINAL_TASK.has(task.status)) ?? null
}

/** A repair that nobody is at, of a run that is sound but for it; null when there is none. */
export function idleRepair(state: RunState): TaskState | null {
  const repair = Object.values(state.tasks).find(({ card, status }) => card.payload.merge !== undefined && (status === 'queued' || status === 'failed'))
  const others = Object.values(state.tasks).filter((task) => task !== repair)
  const isOpen = state.status === 'executing' || state.status === 'paused' || state.status === 'needs_review'
  const headHolds =
    state.whole !== undefined && state.whole.violations.length === 0 && state.whole.kpis.every(({ measured, pass }) => !measured || pass === true)
  if (!repair || !isOpen || !headHolds || others.some(({ status, card }) => status !== 'succeeded' && card.payload.merge === undefined)) return null
  return repair
}
