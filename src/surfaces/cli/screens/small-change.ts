/** `vp do`: the plan's one line, then the events, then the commit. */
import { reasonWords } from '../../../core/run-words.ts'
import { duration, durationBand, usd, usdBand } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { strong } from '../style.ts'
import { changedTestsLines } from './prove.ts'

export interface DoPlanView {
  readonly lane: string
  readonly cost_usd: readonly [number, number] | null
  readonly duration_ms: readonly [number, number] | null
  readonly cap_usd: number | null
}

/** Talk, before the work begins. */
export const doPlanScreen = renderer<DoPlanView>((view) => ({
  stderr: [
    dots(
      `plan 1 task, ${view.lane}`,
      [view.cost_usd && usdBand(...view.cost_usd), view.duration_ms && durationBand(...view.duration_ms)].filter((part) => part).join(', ') + ' est.',
      view.cap_usd !== null && `cap ${usd(view.cap_usd)}`,
    ),
  ],
}))

export interface DoView {
  readonly run_id: string
  readonly run?: string
  readonly status: string
  readonly reason?: string | null
  /** null: nothing was brought to the person's branch. */
  readonly commit: { readonly sha: string; readonly subject: string } | null
  /** Where it lies. */
  readonly branch: string | null
  readonly cost_usd: number | null
  readonly elapsed_ms?: number | null
  /** Files of tests from before the run that it changed. */
  readonly tests_changed?: readonly string[]
  /** Why the person's branch did not move. */
  readonly not_completed?: string | null
  readonly next?: readonly string[]
}

export const doScreen = renderer<DoView>((view) => {
  const cost = dots(usd(view.cost_usd), view.elapsed_ms !== undefined && view.elapsed_ms !== null && duration(view.elapsed_ms))
  const head =
    view.commit === null
      ? dots(`run ${view.run ?? view.run_id} ${view.status}: ${reasonWords(view.reason ?? 'no commit')}`, cost)
      : dots(`${strong(view.commit.sha.slice(0, 7))} on ${view.branch ?? 'no branch'}: ${view.commit.subject}`, cost)
  return {
    stdout: [head, ...changedTestsLines(view.tests_changed ?? []), ...(view.not_completed ? [`your branch is as you left it: ${view.not_completed}`] : [])],
    stderr: nextLines(view.next ?? (view.commit === null ? [] : ['git show', 'vp undo'])),
  }
})
