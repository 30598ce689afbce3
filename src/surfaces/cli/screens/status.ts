/** `vp status`: one run in six lines. Built-ins only: it is on the fast way. */
import { reasonWords } from '../../../core/run-words.ts'
import { duration, energy, roughly, tokens, usd, type EnergyBand } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, labelled, nextLines } from '../layout.ts'
import { spendOf, tokensOfCap, type WaitingApproval } from './where-am-i.ts'

export interface StatusView {
  readonly run_id: string
  /** Shortest unique form. */
  readonly run?: string
  readonly name?: string
  readonly run_kind?: string
  readonly status: string
  /** What is true of it now, where that is another word. */
  readonly state?: string
  /** Why it is paused, in words. */
  readonly paused_reason?: string | null
  readonly elapsed_ms?: number | null
  readonly plan_version?: number | null
  readonly tasks_total: number
  readonly tasks_completed: number
  readonly tasks_failed: number
  /** Beside the contract's totals; counted from `tasks` when absent. */
  readonly tasks_running?: number
  readonly tasks_queued?: number
  readonly tasks_skipped?: number
  readonly tasks?: readonly { readonly n: number; readonly status: string }[]
  readonly spend_usd: number | null
  readonly budget_usd?: number | null
  readonly tokens_total?: number
  readonly budget_tokens?: number | null
  readonly usd_per_minute?: number | null
  readonly runway_minutes?: number | null
  readonly projected_spend_usd?: number | null
  readonly gates?: {
    readonly hold: number
    readonly measured: number
    readonly to_come: number
    readonly not_measured: readonly string[]
  }
  readonly tokens?: {
    readonly in: number
    readonly out: number
    readonly think: number
    readonly tool_use?: number
  } | null
  readonly energy_kwh?: EnergyBand | null
  readonly prompts?: number
  readonly autonomy?: number | null
  readonly approvals: readonly WaitingApproval[]
  readonly next?: readonly string[]
}

export const statusScreen = renderer<StatusView>((view) => ({
  stdout: [
    headLine(view),
    labelled('tasks', taskCounts(view)),
    labelled('budget', budgetText(view)),
    ...(view.gates === undefined ? [] : [labelled('gates', gatesText(view.gates))]),
    labelled('use', useText(view)),
  ],
  stderr: nextLines(view.next ?? view.approvals.slice(0, 1).map((each) => `vp approve ${each.approval}`)),
}))

function headLine(view: StatusView): string {
  const word = view.state ?? view.status
  const state = view.elapsed_ms === undefined || view.elapsed_ms === null ? word : `${word} ${duration(view.elapsed_ms)}`
  return dots(
    `run ${view.run ?? view.run_id}`,
    view.name,
    view.run_kind,
    state,
    view.plan_version !== undefined && view.plan_version !== null && `plan v${view.plan_version}`,
    view.paused_reason && reasonWords(view.paused_reason),
  )
}

export interface TaskCounts {
  readonly done: number
  readonly running: number
  readonly waiting: number
  readonly queued: number
  readonly failed: number
  readonly skipped?: number
}

/** `7 done · 9 running · 1 waits for you · 7 queued · 0 failed`. */
export function countsText(counts: TaskCounts): string {
  return dots(
    `${counts.done} done`,
    `${counts.running} running`,
    counts.waiting > 0 && `${counts.waiting} ${counts.waiting === 1 ? 'waits' : 'wait'} for you`,
    `${counts.queued} queued`,
    (counts.skipped ?? 0) > 0 && `${counts.skipped} skipped`,
    `${counts.failed} failed`,
  )
}

/** In the contract `completed` counts whatever has ended. */
export function tasksDone(of: { readonly tasks_completed: number; readonly tasks_failed: number; readonly tasks_skipped: number }): number {
  return Math.max(0, of.tasks_completed - of.tasks_failed - of.tasks_skipped)
}

function taskCounts(view: StatusView): string {
  const of = (status: string) => view.tasks?.filter((task) => task.status === status).length ?? 0
  const skipped = view.tasks_skipped ?? of('skipped')
  return countsText({
    done: tasksDone({ ...view, tasks_skipped: skipped }),
    running: view.tasks_running ?? of('running') + of('merging'),
    waiting: view.approvals.length,
    queued: view.tasks_queued ?? of('queued'),
    skipped,
    failed: view.tasks_failed,
  })
}

function budgetText(view: StatusView): string {
  const { runway_minutes: runway, usd_per_minute: rate, projected_spend_usd: projected } = view
  return dots(
    spendOf(view.spend_usd, view.budget_usd ?? null),
    tokensOfCap(view.tokens_total, view.budget_tokens),
    rate !== undefined && rate !== null && rate > 0 && `${usd(rate)}/min`,
    runway !== undefined && runway !== null && runway > 0 && `runway ${roughly(runway * 60_000)}`,
    projected !== undefined && projected !== null && `projected ${usd(projected)} est.`,
  )
}

function gatesText(gates: NonNullable<StatusView['gates']>): string {
  return dots(
    gates.measured === 0 ? 'none measured yet' : `${gates.hold} of ${gates.measured} measured hold`,
    gates.to_come > 0 && `${gates.to_come} to come`,
    gates.not_measured.length > 0 && `${gates.not_measured.join(', ')} not measured`,
  )
}

function useText(view: StatusView): string {
  const use = view.tokens
  const split = use ? `${tokens(use.in + use.out + use.think)} tokens (${tokens(use.in)}/${tokens(use.out)}/${tokens(use.think)})` : 'tokens not measured'
  return dots(
    split,
    energy(view.energy_kwh ?? null),
    view.prompts !== undefined && `${view.prompts} ${view.prompts === 1 ? 'prompt' : 'prompts'}`,
    view.autonomy === undefined ? null : view.autonomy === null ? 'autonomy not measured' : `autonomy ${view.autonomy.toFixed(2)}`,
  )
}
