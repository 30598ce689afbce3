/** The report that `vp start` and `vp resume` end with, and what a pause or a stop says. */
import { reasonWords } from '../../../core/run-words.ts'
import { count as counted, duration, energy, grouped, tokens, usd, usdBand, type EnergyBand } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { attention, bad, hang, strong } from '../style.ts'
import { tasksDone } from './status.ts'

export interface ReportView {
  readonly run_id: string
  readonly run?: string
  /** `completed`, `needs_review`, `failed`, `paused`, `terminated`. */
  readonly status: string
  /** Why it is not done, in words. */
  readonly reason?: string | null
  readonly tasks_total: number
  readonly tasks_completed: number
  readonly tasks_failed: number
  readonly tasks_skipped: number
  readonly gates?: { readonly hold: number; readonly of: number }
  readonly files?: { readonly changed: number; readonly add: number; readonly del: number }
  readonly cost_usd: number | null
  readonly budget_usd?: number | null
  readonly band: { readonly lo: number; readonly hi: number; readonly inside: boolean } | null
  readonly elapsed_ms?: number | null
  readonly tokens?: number | null
  readonly energy_kwh?: EnergyBand | null
  readonly prompts?: number
  readonly commits: readonly string[]
  readonly branch: string | null
  readonly passport_path: string | null
  /** Tasks that failed, each with its first reason. */
  readonly failed?: readonly { readonly n: number; readonly reason: string }[]
  readonly approvals: readonly { readonly approval: string; readonly task: number | null; readonly wants: string }[]
  /** Of a pause: who paused, tasks that keep their place, calls still open. */
  readonly paused?: { readonly by: string; readonly keep: number; readonly open_calls: number }
  readonly next?: readonly string[]
}

/** A pause is talk: stdout stays empty, as nothing was brought to an end. */
export const reportScreen = renderer<ReportView>((view) => {
  const next = nextLines(view.next ?? [])
  if (view.paused !== undefined) return { stderr: [pausedLine(view, view.paused), ...next] }
  return {
    stdout: [headLine(view), useLine(view), ...failedLines(view), ...waitingLines(view), ...commitLine(view)],
    stderr: next,
  }
})

function pausedLine(view: ReportView, paused: NonNullable<ReportView['paused']>): string {
  return [
    `paused by ${paused.by}: ${tasksDone(view)} of ${view.tasks_total} done`,
    `${counted(paused.keep, 'task')} ${paused.keep === 1 ? 'keeps its' : 'keep their'} place`,
    paused.open_calls === 0 ? 'no call open' : `${counted(paused.open_calls, 'call')} open`,
    usd(view.cost_usd),
  ].join(', ')
}

const WORDS: Readonly<Record<string, string>> = { completed: 'done', needs_review: 'needs review' }

function headLine(view: ReportView): string {
  const word = WORDS[view.status] ?? view.status
  const state = view.status === 'completed' ? strong(word) : bad(word)
  const parts = [
    `${grouped(tasksDone(view))} of ${counted(view.tasks_total, 'task')}`,
    view.gates && (view.gates.of === 0 ? 'no gate measured' : `${view.gates.hold} of ${counted(view.gates.of, 'gate')}`),
    view.files && `${counted(view.files.changed, 'file')} +${grouped(view.files.add)} -${grouped(view.files.del)}`,
  ].filter((part) => part)
  return `run ${view.run ?? view.run_id} ${state}: ${parts.join(', ')}${view.reason ? ` · ${reasonWords(view.reason)}` : ''}`
}

function useLine(view: ReportView): string {
  const { band, elapsed_ms: elapsed } = view
  const inside = band === null ? '' : `, ${band.inside ? 'inside' : 'outside'} ${usdBand(band.lo, band.hi)}`
  return dots(
    `${usd(view.cost_usd)}${inside}`,
    elapsed !== undefined && elapsed !== null && duration(elapsed),
    view.tokens !== undefined && (view.tokens === null ? 'tokens not measured' : `${tokens(view.tokens)} tokens`),
    view.energy_kwh !== undefined && energy(view.energy_kwh),
    view.prompts !== undefined && counted(view.prompts, 'prompt'),
  )
}

function failedLines(view: ReportView): string[] {
  return (view.failed ?? []).map((task) => hang(`${bad('✗')} T${task.n}`, 7) + task.reason)
}

function waitingLines(view: ReportView): string[] {
  return view.approvals.map((each) => hang(`${attention('?')} ${each.approval}`, 11) + `${each.task === null ? 'vp' : `T${each.task}`} asks to ${each.wants}`)
}

function commitLine(view: ReportView): string[] {
  if (view.branch === null) return []
  // Without a commit there is no branch either.
  const what = view.commits.length === 0 ? 'no commits' : `${counted(view.commits.length, 'commit')} on branch ${view.branch}`
  return [`${what}; your checkout is as you left it`]
}
