/**
 * Budget arithmetic. Sources: contracts/pas.md section 8 (guard), plms.md section 7 (runway). Pure.
 */
import type { Caps, RunState } from './state.ts'
import { FINAL_TASK } from '../../contract/types.ts'

export interface GuardVerdict {
  readonly projected_spend_usd: number
  readonly action: 'continue' | 'pause' | 'terminate'
}

/** Projected over 125 % of the cap, or the cap itself passed: stop, as the breach policy says. */
export function budgetGuard(input: {
  spend_usd: number
  tasks_completed: number
  tasks_total: number
  cap_usd: number | null
  breach_policy: Caps['breach']
}): GuardVerdict {
  const projected = (input.spend_usd / Math.max(1, input.tasks_completed)) * input.tasks_total
  const breached = input.cap_usd !== null && (projected / input.cap_usd - 1 > 0.25 || input.spend_usd > input.cap_usd)
  return {
    projected_spend_usd: projected,
    action: !breached ? 'continue' : input.breach_policy === 'kill' ? 'terminate' : 'pause',
  }
}

/** Tasks at an end, of all. */
export function progress(state: RunState): { done: number; total: number; failed: number; skipped: number } {
  const tasks = Object.values(state.tasks)
  return {
    done: tasks.filter((task) => FINAL_TASK.has(task.status)).length,
    total: Math.max(tasks.length, state.expect_tasks),
    failed: tasks.filter((task) => task.status === 'failed').length,
    skipped: tasks.filter((task) => task.status === 'skipped').length,
  }
}

/**
 * The guard on a run: the projection counts from the first finished task on (before it there is no rate to
 * project, and the hard cap holds by reservation anyway). Null when the run may go on.
 */
export function guardRun(state: RunState): 'pause' | 'terminate' | null {
  const { done, total } = progress(state)
  if (state.caps.tokens !== null && tokensOf(state) > state.caps.tokens) return state.caps.breach === 'kill' ? 'terminate' : 'pause'
  if (state.caps.micro_usd === null || (done === 0 && state.micro_usd <= state.caps.micro_usd) || done === total) return null
  const verdict = budgetGuard({
    spend_usd: state.micro_usd / 1e6,
    tasks_completed: done,
    tasks_total: total,
    cap_usd: state.caps.micro_usd / 1e6,
    breach_policy: state.caps.breach,
  })
  return verdict.action === 'continue' ? null : verdict.action
}

export function tokensOf(state: Pick<RunState, 'tokens'>): number {
  return state.tokens.in + state.tokens.out + state.tokens.think + state.tokens.tool_use
}

/** kWh as a range; null: not measured, as where no model answered. */
export function energyOf({ micro_wh }: Pick<RunState, 'micro_wh'>): { lo: number; hi: number; source: 'estimate' } | null {
  return micro_wh ? { lo: micro_wh.lo / 1e9, hi: micro_wh.hi / 1e9, source: 'estimate' } : null
}

export interface Runway {
  readonly minutes_to_depletion: number | null
  readonly projected_overrun_usd: number
  readonly burn_per_min: number
  readonly status: 'ok' | 'warning' | 'critical'
}

/** plms.md section 7. `usd_max` null: no budget, always ok. */
export function budgetRunway(input: { usd_max: number | null; usd_spent: number; burn_per_min: number; projected_overrun_usd: number }): Runway {
  const { usd_max, usd_spent, burn_per_min, projected_overrun_usd } = input
  if (usd_max === null) return { minutes_to_depletion: null, projected_overrun_usd: 0, burn_per_min, status: 'ok' }
  const minutes = burn_per_min > 0 ? (usd_max - usd_spent) / burn_per_min : null
  const overrun = usd_max > 0 ? projected_overrun_usd / usd_max : projected_overrun_usd > 0 ? Infinity : 0
  const status =
    (minutes !== null && minutes < 10) || overrun >= 0.2 ? 'critical' : (minutes !== null && minutes <= 30) || projected_overrun_usd > 0 ? 'warning' : 'ok'
  return { minutes_to_depletion: minutes, projected_overrun_usd, burn_per_min, status }
}

/** Retry delay in seconds: min(cap, base × 2^(attempt−1)) ± jitter share; `chance` in 0..1. Source: pas.md section 7. */
export function retryDelaySeconds(attempt: number, options: { base_s?: number; cap_s?: number; jitter?: number; chance?: number } = {}): number {
  const { base_s = 2, cap_s = 60, jitter = 0.2, chance = 0.5 } = options
  return Math.min(cap_s, base_s * 2 ** (attempt - 1)) * (1 + jitter * (2 * chance - 1))
}

/** Minutes that the budget lasts at the run's rate so far; null without a cap or without spend. */
export function runwayMinutes(state: RunState, now: number): number | null {
  if (state.caps.micro_usd === null || state.started_at === null) return null
  const minutes = (now - state.started_at) / 60_000
  const { done, total } = progress(state)
  const burn = minutes > 0 ? state.micro_usd / 1e6 / minutes : 0
  const projected = (state.micro_usd / 1e6 / Math.max(1, done)) * total
  return budgetRunway({
    usd_max: state.caps.micro_usd / 1e6,
    usd_spent: state.micro_usd / 1e6,
    burn_per_min: burn,
    projected_overrun_usd: Math.max(0, projected - state.caps.micro_usd / 1e6),
  }).minutes_to_depletion
}
