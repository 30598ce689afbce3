/**
 * The machine of a run: pending → planning → executing → validating → completed | needs_review, with paused,
 * terminated and failed. Source: contracts/pas.md section 4.
 */
import type { TaskId } from '../../../core/ids.ts'
import { FINAL_RUN, FINAL_TASK, type RunStatus } from '../../contract/types.ts'
import { violationWords } from './gates.ts'
import type { RunEvent, RunState } from './state.ts'

export function newRun(event: Extract<RunEvent, { type: 'run_created' }>): RunState {
  return {
    run_id: event.run_id,
    project_id: event.project_id,
    kind: event.kind,
    ...(event.origin ? { origin: event.origin } : {}),
    status: 'pending',
    reason: null,
    caps: event.caps,
    plan_version: event.plan_version,
    expect_tasks: event.expect_tasks,
    max_attempts: event.max_attempts,
    ...(event.context ? { context: event.context } : {}),
    ...(event.parameters ? { parameters: event.parameters } : {}),
    base: event.base,
    head: event.base,
    merging: null,
    tasks: {},
    order: [],
    micro_usd: 0,
    tokens: { in: 0, out: 0, think: 0, tool_use: 0 },
    price_unknown: false,
    prompts: 0,
    created_at: event.ts,
    started_at: null,
    ended_at: null,
  }
}

/** The run's own fields after `event`; tasks are reduced before. */
export function reduceRun(state: RunState, event: RunEvent): RunState {
  if (FINAL_RUN.has(state.status)) return state
  switch (event.type) {
    case 'run_started':
      return state.status === 'pending' ? { ...state, status: 'planning', started_at: event.ts } : state
    case 'spent':
      return {
        ...state,
        micro_usd: state.micro_usd + (event.micro_usd ?? 0),
        price_unknown: state.price_unknown || event.micro_usd === null,
        ...(event.micro_wh ? { micro_wh: { lo: (state.micro_wh?.lo ?? 0) + event.micro_wh.lo, hi: (state.micro_wh?.hi ?? 0) + event.micro_wh.hi } } : {}),
        tokens: {
          in: state.tokens.in + event.tokens.in,
          out: state.tokens.out + event.tokens.out,
          think: state.tokens.think + event.tokens.think,
          tool_use: state.tokens.tool_use + event.tokens.tool_use,
        },
      }
    case 'task_waits':
      return { ...state, prompts: state.prompts + 1 }
    case 'merge_intended':
      return state.tasks[event.task_id]?.status === 'merging' && state.merging === null && state.head === event.from
        ? { ...state, merging: { task_id: event.task_id, attempt: event.attempt, from: event.from, to: event.to } }
        : state
    case 'merge_dropped':
      return state.merging?.task_id === event.task_id ? { ...state, merging: null } : state
    case 'task_merged':
      return state.merging?.task_id === event.task_id ? { ...state, head: state.merging.to, merging: null } : state
    case 'paused':
      return { ...state, status: 'paused', reason: event.reason, ...(event.shortfall ? { shortfall: event.shortfall } : {}) }
    case 'resumed':
      return resumed(event.caps ? { ...state, caps: event.caps } : state)
    case 'terminated':
      return { ...state, status: 'terminated', reason: event.reason, ended_at: event.ts }
    case 'failed':
      return { ...state, status: 'failed', reason: event.reason, ended_at: event.ts }
    case 'validated': {
      if (state.status !== 'validating') return state
      const status: RunStatus = event.violations.length === 0 ? 'completed' : 'needs_review'
      const whole = { kpis: event.kpis ?? [], violations: event.violations.filter(({ kind, task_id }) => task_id === null && kind !== 'kpi') }
      return { ...state, status, whole, reason: event.violations[0] ? violationWords(event.violations[0]) : null, ended_at: event.ts }
    }
    case 'forked':
      return state.fork ? state : { ...state, fork: event.origin }
    case 'told':
      return { ...state, told: (state.told ?? 0) + 1 }
    default:
      return state
  }
}

function resumed(state: RunState): RunState {
  if (state.status !== 'paused') return state
  const { shortfall: _, ...open } = state
  return { ...open, status: 'executing', reason: null }
}

/** Moves that follow from the tasks: the graph is there, every task is at an end. */
export function advance(state: RunState): RunState {
  if (state.status === 'planning' && state.order.length > 0 && state.order.length >= state.expect_tasks) return { ...state, status: 'executing' }
  if (state.status === 'executing' && allEnded(state)) return { ...state, status: 'validating' }
  return state
}

function allEnded(state: RunState): boolean {
  return state.order.length >= state.expect_tasks && state.order.length > 0 && state.order.every((id) => FINAL_TASK.has(state.tasks[id]?.status ?? 'queued'))
}

/** A cycle or an unknown dependency in the cards, as the ids involved; null when the graph is sound. */
export function graphFault(state: RunState): { kind: 'cycle' | 'unknown'; tasks: TaskId[] } | null {
  const unknown = state.order.filter((id) => state.tasks[id]?.card.deps.some((dep) => !state.tasks[dep]))
  if (unknown.length > 0) return { kind: 'unknown', tasks: unknown }
  const done = new Set<string>()
  for (let grown = true; grown;) {
    grown = false
    for (const id of state.order)
      if (!done.has(id) && state.tasks[id]?.card.deps.every((dep) => done.has(dep))) {
        done.add(id)
        grown = true
      }
  }
  const cycle = state.order.filter((id) => !done.has(id))
  return cycle.length > 0 ? { kind: 'cycle', tasks: cycle } : null
}
