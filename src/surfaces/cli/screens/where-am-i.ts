/**
 * `vp` alone: where am I, what does it cost, what do I do next. Opens nothing, knows only what it is given.
 */
import { ago, duration, durationBand, roughly, tokens, usd, usdBand } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { attention, hang, toCopy } from '../style.ts'

export type WhereAmIView =
  | {
      readonly kind: 'nothing'
      /** null: not a git repository. */
      /** `changed_files` null: counting them would start git. */
      readonly git: { readonly branch: string | null; readonly changed_files: number | null } | null
      readonly model: string | null
      readonly sandbox: string | null
      /** null: `vp doctor` has not run here. */
      readonly checked_ms_ago: number | null
    }
  | {
      readonly kind: 'project'
      readonly name: string
      /** In words: `approved, not started`. */
      readonly state: string
      readonly plan: { readonly version: number; readonly tasks: number } | null
      readonly estimate: {
        readonly cost_usd: readonly [number, number]
        readonly duration_ms: readonly [number, number]
      } | null
      readonly next: readonly string[]
    }
  | {
      readonly kind: 'run'
      readonly name: string
      readonly run: string
      readonly state: string
      readonly elapsed_ms: number
      readonly tasks: { readonly total: number; readonly done: number; readonly running: number }
      readonly spend_usd: number | null
      readonly budget_usd: number | null
      readonly tokens_total?: number
      readonly budget_tokens?: number | null
      readonly runway_ms: number | null
      readonly left_ms: number | null
      readonly approvals: readonly WaitingApproval[]
      readonly next: readonly string[]
    }

export interface WaitingApproval {
  readonly approval: string
  /** null: of no task. */
  readonly task: number | null
  readonly wants: string
  readonly waits_ms: number
}

export const whereAmIScreen = renderer<WhereAmIView>((view) => {
  if (view.kind === 'nothing') return { stdout: nothingHere(view) }
  return { stdout: view.kind === 'project' ? [projectLine(view)] : runLines(view), stderr: nextLines(view.next) }
})

function nothingHere(view: Extract<WhereAmIView, { kind: 'nothing' }>): string[] {
  const { git } = view
  const changed = git === null || !git.changed_files ? null : `${git.changed_files} changed ${git.changed_files === 1 ? 'file' : 'files'}`
  const where =
    git === null ? 'no git repository' : ['git', git.branch === null ? 'no branch' : `branch ${git.branch}`, changed].filter((part) => part !== null).join(', ')
  const known = dots(
    `model ${view.model ?? 'none'}`,
    `sandbox ${view.sandbox ?? 'not tried'}`,
    view.checked_ms_ago === null ? 'vp doctor tries them' : `checked ${ago(view.checked_ms_ago)}`,
  )
  const offer = (command: string, text: string) => hang(`  ${toCopy(command)}`, 33) + text
  return [
    `no project here (${where})`,
    known,
    offer('vp do "fix the failing test"', 'one small change: tested, then committed'),
    offer('vp new --name NAME', 'a project: PRD, plan, price, run'),
    offer('vp demo', 'the whole way on a sample, offline'),
  ]
}

function projectLine(view: Extract<WhereAmIView, { kind: 'project' }>): string {
  const { plan, estimate } = view
  return dots(
    view.name,
    view.state,
    plan && `plan v${plan.version}: ${plan.tasks} ${plan.tasks === 1 ? 'task' : 'tasks'}`,
    estimate && `${usdBand(...estimate.cost_usd)}, ${durationBand(...estimate.duration_ms)} est.`,
  )
}

function runLines(view: Extract<WhereAmIView, { kind: 'run' }>): string[] {
  const { tasks } = view
  return [
    dots(
      view.name,
      `run ${view.run} ${view.state} ${duration(view.elapsed_ms)}`,
      `${tasks.done} of ${tasks.total} done${tasks.running > 0 ? `, ${tasks.running} running` : ''}`,
    ),
    dots(
      spendOf(view.spend_usd, view.budget_usd),
      tokensOfCap(view.tokens_total, view.budget_tokens),
      view.runway_ms !== null && `runway ${roughly(view.runway_ms)}`,
      view.left_ms !== null && `about ${roughly(view.left_ms)} left est.`,
    ),
    ...view.approvals.map(
      (each) =>
        hang(`${attention('?')} ${each.approval}`, 11) +
        dots(`${each.task === null ? 'vp' : `T${each.task}`} asks to ${each.wants}`, `waits ${duration(each.waits_ms)}`),
    ),
  ]
}

/** `$1.12 of $4.00`, or what was spent alone where there is no cap. */
export function spendOf(spend: number | null, budget: number | null): string {
  return budget === null ? `${usd(spend)} spent` : `${usd(spend)} of ${usd(budget)}`
}

/** `3.8k of 9.0k tokens`; nothing where no cap counts them. */
export function tokensOfCap(used: number | undefined, cap: number | null | undefined): string | false {
  return cap !== null && cap !== undefined && `${tokens(used ?? 0)} of ${tokens(cap)} tokens`
}
