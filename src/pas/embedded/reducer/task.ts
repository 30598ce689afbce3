/**
 * The machine of one task: queued → running → (waiting_io ↔ running) → merging → succeeded, or again, failed, skipped.
 * An event that names an attempt other than the present one changes nothing: it is late.
 */
import { FINAL_TASK } from '../../contract/types.ts'
import type { RunEvent, TaskState } from './state.ts'
import type { JobCard } from '../../contract/types.ts'

export function newTask(card: JobCard): TaskState {
  return {
    task_id: card.task_id,
    card,
    status: 'queued',
    attempt: 0,
    started_at: null,
    ended_at: null,
    why: null,
    feedback: null,
    carry_tree: null,
    carry_base: null,
    reason: null,
    commit: null,
    kpis: [],
    violations: [],
    waits_for: null,
    micro_usd: 0,
    tokens: 0,
    lines: null,
  }
}

function isHeard({ heard }: TaskState, { attempt, turn }: { readonly attempt: number; readonly turn: number }): boolean {
  return heard !== undefined && (attempt < heard.attempt || (attempt === heard.attempt && turn <= heard.turn))
}

export function reduceTask(task: TaskState, event: RunEvent, maxAttempts: number): TaskState {
  if (FINAL_TASK.has(task.status)) return task
  switch (event.type) {
    case 'task_claimed':
      return task.status === 'queued'
        ? {
            ...task,
            status: 'running',
            attempt: event.attempt,
            started_at: task.started_at ?? event.ts,
            waits_for: null,
          }
        : task
    case 'lease_lost':
      // The same attempt again: what it had asked the model is recorded and is not asked twice.
      return event.attempt === task.attempt && task.status !== 'queued' && task.status !== 'merging'
        ? { ...task, status: 'queued', attempt: task.attempt - 1, waits_for: null }
        : task
    case 'task_waits':
      return event.attempt === task.attempt && task.status === 'running' ? { ...task, status: 'waiting_io', waits_for: event.approval } : task
    case 'approval_decided':
      return task.waits_for === event.approval ? { ...task, status: 'queued', attempt: task.attempt - 1, waits_for: null } : task
    case 'spent':
      return {
        ...task,
        micro_usd: task.micro_usd + (event.micro_usd ?? 0),
        tokens: task.tokens + event.tokens.in + event.tokens.out + event.tokens.think + event.tokens.tool_use,
      }
    case 'attempt_failed':
      return event.attempt === task.attempt && task.status !== 'queued' ? afterFailure(task, event, maxAttempts) : task
    case 'merge_intended':
      return event.attempt === task.attempt && task.status === 'running'
        ? { ...task, status: 'merging', kpis: event.kpis, lines: event.lines, commit: event.to }
        : task
    case 'merge_dropped':
      return task.status === 'merging' ? { ...task, status: 'queued', attempt: task.attempt - 1, commit: null } : task
    case 'task_merged':
      return task.status === 'merging'
        ? {
            ...task,
            status: 'succeeded',
            ended_at: event.ts,
            why: null,
            feedback: null,
            carry_tree: null,
            carry_base: null,
            violations: [],
          }
        : task
    case 'forked': {
      const { why, feedback, carry_tree, carry_base } = event
      return task.attempt === 0 ? { ...task, why, feedback, carry_tree, carry_base } : task
    }
    case 'heard':
      return isHeard(task, event) ? task : { ...task, heard: { attempt: event.attempt, turn: event.turn } }
    default:
      return task
  }
}

function afterFailure(task: TaskState, event: Extract<RunEvent, { type: 'attempt_failed' }>, maxAttempts: number): TaskState {
  const learned = {
    ...task,
    why: event.why,
    feedback: event.feedback,
    carry_tree: event.carry_tree,
    carry_base: event.carry_base,
    reason: event.reason,
    kpis: event.kpis,
    violations: event.violations,
  }
  if (event.why === 'fatal' || task.attempt >= maxAttempts) return { ...learned, status: 'failed', ended_at: event.ts }
  return { ...learned, status: 'queued' }
}
