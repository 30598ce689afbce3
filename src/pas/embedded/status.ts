/**
 * What a run looks like from outside: contract fields of `runs/status` and what the terminal adds. Reads the store,
 * loads built-ins only: it answers `vp status`.
 */
import { isoUtc } from '../../core/ports.ts'
import type { Tx } from '../../store/contract.ts'
import { FINAL_RUN, FINAL_TASK } from '../contract/types.ts'
import { autonomyOf, completedHunks, completedKey } from './autonomy.ts'
import { activeMs, driversOf, isDriven } from './drivers.ts'
import { lastWords } from './log-lines.ts'
import { raiseCommands } from './raise.ts'
import { budgetGuard, budgetRunway, energyOf, progress, tokensOf } from './reducer/budget.ts'
import { openViolations, runTally } from './reducer/gates.ts'
import type { RunState, TaskState } from './reducer/state.ts'

export interface StatusTask {
  readonly task_id: string
  readonly n: number
  readonly lane: string
  readonly status: string
  readonly attempt: number
  readonly cost_usd: number
  readonly ms: number | null
  readonly reason: string | null
  /** Of a task that runs: its last step, in a verb and its object. */
  readonly doing: string | null
}

export interface PendingApproval {
  readonly approval: string
  readonly task: number | null
  readonly wants: string
  readonly waits_ms: number
}

export interface RunStatusReport {
  readonly run_id: string
  readonly name: string
  readonly project_id: number
  readonly run_kind: string
  readonly status: string
  /** The status, or what is true instead: `waits` for a person's yes, `interrupted` as no process is at it. */
  readonly state: string
  readonly paused_reason: string | null
  /** Commands that let it go on, where a budget stopped it. */
  readonly raise: readonly string[] | null
  readonly plan_version: number
  readonly tasks_total: number
  readonly tasks_completed: number
  readonly tasks_failed: number
  readonly tasks_running: number
  readonly tasks_queued: number
  readonly tasks_skipped: number
  readonly spend_usd: number | null
  readonly budget_usd: number | null
  readonly budget_tokens: number | null
  readonly usd_per_minute: number | null
  readonly runway_minutes: number | null
  readonly projected_spend_usd: number | null
  readonly kpi_violations: readonly {
    readonly task_id: string | null
    readonly kpi_name: string
    readonly expected: unknown
    readonly actual: unknown
    readonly pass: false
  }[]
  readonly gates: {
    readonly hold: number
    readonly measured: number
    readonly to_come: number
    readonly not_measured: readonly string[]
  }
  readonly tasks: readonly StatusTask[]
  readonly tokens: RunState['tokens']
  readonly tokens_total: number
  readonly prompts: number
  readonly energy_kwh: { readonly lo: number; readonly hi: number; readonly source: string } | null
  /** The middle of that range. */
  readonly spend_energy_kwh: number | null
  /** Share of hunks that no person changed before completion, over the project's completed runs: `autonomy.ts`. */
  readonly autonomy: number | null
  readonly approvals: readonly PendingApproval[]
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly elapsed_ms: number | null
  readonly validation_pass: boolean | null
  /** The branch that `vp complete`, or `vp do` at its end, brought it to; null: it is on its own only. */
  readonly brought_to: string | null
}

/** The moment, and who still lives at it. */
export interface Present {
  readonly now: number
  isAlive(worker: string): boolean
}

export async function runStatus(tx: Tx, state: RunState, name: string, { now, isAlive }: Present): Promise<RunStatusReport> {
  const drivers = await driversOf(tx, state.run_id)
  const isAtWork = isDriven(drivers, isAlive)
  const tasks = state.order.flatMap((id) => state.tasks[id] ?? [])
  const { done, total, failed, skipped } = progress(state)
  const spend = state.price_unknown ? null : state.micro_usd / 1e6
  const budget = state.caps.micro_usd === null ? null : state.caps.micro_usd / 1e6
  const elapsed = state.started_at === null ? null : (activeMs(drivers, now, isAlive) ?? (state.ended_at ?? now) - state.started_at)
  const burn = elapsed && spend !== null && spend > 0 ? spend / (elapsed / 60_000) : 0
  const projected =
    spend === null
      ? null
      : budgetGuard({
          spend_usd: spend,
          tasks_completed: done,
          tasks_total: total,
          cap_usd: budget,
          breach_policy: state.caps.breach,
        }).projected_spend_usd
  const runway = budgetRunway({
    usd_max: budget,
    usd_spent: spend ?? 0,
    burn_per_min: burn,
    projected_overrun_usd: Math.max(0, (projected ?? 0) - (budget ?? Infinity)),
  })
  const count = (...statuses: string[]) => tasks.filter((task) => statuses.includes(task.status)).length
  const tally = runTally(state)
  const energy = energyOf(state)
  return {
    run_id: state.run_id,
    name,
    project_id: state.project_id,
    run_kind: state.kind,
    status: state.status,
    state: stateOf(state, isAtWork),
    paused_reason: state.status === 'paused' ? state.reason : null,
    raise: raiseCommands(state),
    plan_version: state.plan_version,
    tasks_total: total,
    tasks_completed: done,
    tasks_failed: failed,
    // Without a process at it nothing runs: such a task keeps its place.
    tasks_running: isAtWork ? count('running', 'merging') : 0,
    tasks_queued: isAtWork ? count('queued') : count('queued', 'running', 'merging'),
    tasks_skipped: skipped,
    spend_usd: spend,
    budget_usd: budget,
    budget_tokens: state.caps.tokens,
    usd_per_minute: burn > 0 ? burn : null,
    runway_minutes: runway.minutes_to_depletion,
    projected_spend_usd: done > 0 ? projected : null,
    kpi_violations: openViolations(state).map((violation) => ({
      task_id: violation.task_id,
      kpi_name: violation.kind === 'kpi' ? violation.name : `${violation.kind}: ${violation.name}`,
      expected: violation.expected ?? null,
      actual: violation.actual ?? null,
      pass: false,
    })),
    gates: {
      hold: tally.held,
      measured: tally.of,
      to_come: tasks.filter((task) => !FINAL_TASK.has(task.status)).length,
      not_measured: ['echo'],
    },
    tasks: await Promise.all(tasks.map(async (task) => taskOf(task, now, isAtWork && task.status === 'running' ? await lastWords(tx, task) : null))),
    tokens: state.tokens,
    tokens_total: tokensOf(state),
    prompts: state.prompts,
    energy_kwh: energy,
    spend_energy_kwh: energy ? (energy.lo + energy.hi) / 2 : null,
    autonomy: autonomyOf(await completedHunks(tx, state.project_id)),
    approvals: await pendingApprovals(tx, state, now),
    started_at: state.started_at === null ? null : isoUtc(state.started_at),
    finished_at: state.ended_at === null ? null : isoUtc(state.ended_at),
    elapsed_ms: elapsed,
    validation_pass: state.status === 'completed' ? true : state.status === 'needs_review' ? false : null,
    brought_to: await broughtTo(tx, state),
  }
}

async function broughtTo(tx: Tx, state: RunState): Promise<string | null> {
  if (state.status !== 'completed') return null
  const row = await tx.get<{ branch: string | null }>(
    "SELECT json_extract(body, '$.branch') AS branch FROM measurements WHERE key = ?",
    completedKey(state.run_id),
  )
  return row?.branch ?? null
}

function stateOf(state: RunState, isAtWork: boolean): string {
  if (isAtWork || FINAL_RUN.has(state.status) || state.status === 'paused') return state.status
  const waits = Object.values(state.tasks).some((task) => task.status === 'waiting_io')
  return waits && !Object.values(state.tasks).some((task) => task.status === 'running' || task.status === 'merging') ? 'waits' : 'interrupted'
}

function taskOf(task: TaskState, now: number, doing: string | null): StatusTask {
  return {
    task_id: task.task_id,
    n: task.card.payload.n,
    lane: task.card.lane,
    status: task.status,
    attempt: task.attempt,
    cost_usd: task.micro_usd / 1e6,
    ms: task.started_at === null ? null : (task.ended_at ?? now) - task.started_at,
    reason: task.reason,
    doing,
  }
}

async function pendingApprovals(tx: Tx, state: RunState, now: number): Promise<PendingApproval[]> {
  const rows = await tx.all<{ id: string; task_id: string | null; request: string; created_at: number }>(
    "SELECT id, task_id, request, created_at FROM approvals WHERE run_id = ? AND status = 'pending' ORDER BY rowid",
    state.run_id,
  )
  return rows.map((row) => ({
    approval: row.id,
    task: row.task_id === null ? null : (state.tasks[row.task_id]?.card.payload.n ?? null),
    wants: (JSON.parse(row.request) as { wants: string }).wants,
    waits_ms: Math.max(0, now - row.created_at),
  }))
}
