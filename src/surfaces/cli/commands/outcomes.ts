/** How runs end, as `vp start`, `vp do`, `vp resume` and a fork say it. */
import { reasonWords } from '../../../core/run-words.ts'
import { isErrorCode, nextSteps, VpError } from '../../../core/errors.ts'
import type { DoResult } from '../../../operations/do.ts'
import type { Started } from '../../../operations/projects/start.ts'
import type { RunReport } from '../../../operations/runs/report.ts'
import type { CommandContext, Outcome } from '../command.ts'
import { MONEY, numberFlag, TOKENS } from '../parse.ts'
import { reportScreen, type ReportView } from '../screens/report.ts'
import { doScreen } from '../screens/small-change.ts'
import { nextOf } from './look.ts'

export function reportOutcome(result: Started, receipt: string): Outcome {
  return {
    result,
    exit: result.exit,
    receipt,
    screen: (look) => reportScreen(reportView(result), look),
    ...(result.exit === 0 ? {} : { error: endError(result) }),
  }
}

export function endError(result: Started): VpError {
  const reason = reasonWords(result.reason ?? result.status)
  const code = /^[a-z_]+\.[a-z_]+(?=: )/.exec(reason)?.[0]
  // A run that stopped for an error says so with that error's own code.
  const own = result.exit === 8 && code !== undefined && isErrorCode(code) ? nextSteps(new VpError(code, reason)) : []
  const next = [
    ...result.approvals.map((id) => `vp approve ${id}`),
    ...(own.length > 0 ? [...(result.raise ?? []), ...own, ...(result.raise ? [] : ['vp resume'])] : nextAfter(result)),
  ]
  const asks = result.approvals[0] ? { approval: result.approvals[0] } : {}
  if (code === 'gate.unmeasured')
    return new VpError(code, reason.slice(code.length + 2), { next: ['add --test "make check"', ...next], changed: 'your branch stays as it is' })
  if (code !== undefined && isErrorCode(code)) return new VpError(code, reason.slice(code.length + 2), { next, ...asks })
  if (result.exit === 6) return new VpError('budget.cap', reason, { next })
  if (result.exit === 8) return new VpError('model.unreachable', reason, { next })
  if (result.exit === 130) return new VpError('cancelled', reason, { next })
  if (result.exit === 7) return new VpError('run.state', reason, { next })
  return new VpError('gate.failed', reason, { next })
}

function nextAfter({ exit, raise }: Started): readonly string[] {
  if (raise) return raise
  if (exit === 8) return ['vp doctor', 'vp resume']
  return exit === 130 || exit === 7 || exit === 6 ? ['vp resume'] : ['vp validate', 'vp logs']
}

function reportView(result: RunReport): ReportView {
  return {
    run_id: result.run_id,
    run: result.run_id.split('-').at(-1) ?? result.run_id,
    status: result.status,
    reason: result.reason,
    tasks_total: result.tasks_total,
    tasks_completed: result.tasks_completed,
    tasks_failed: result.tasks_failed,
    tasks_skipped: result.tasks_skipped,
    gates: { hold: result.gates.held, of: result.gates.of },
    files: { changed: result.lines.files, add: result.lines.add, del: result.lines.del },
    cost_usd: result.cost_usd,
    band: result.band,
    elapsed_ms: result.duration_ms,
    tokens: result.tokens_total,
    energy_kwh: result.energy_kwh,
    prompts: result.prompts,
    commits: result.commits,
    branch: result.branch,
    passport_path: result.passport_path,
    approvals: [],
    ...(result.status === 'paused' && result.reason?.startsWith('by you')
      ? { paused: { by: 'you', keep: result.tasks_total - result.tasks_completed, open_calls: result.open_calls } }
      : {}),
    next: result.status === 'completed' ? [`git diff HEAD...${result.branch}`, 'vp complete'] : nextOf(result.status, result.approvals, result.raise),
  }
}

export function budgetFlags({ flags }: CommandContext): { budget_usd?: number; budget_tokens?: number } {
  const budget_usd = numberFlag(flags, 'budget-usd', MONEY)
  const budget_tokens = numberFlag(flags, 'budget-tokens', TOKENS)
  return { ...(budget_usd === undefined ? {} : { budget_usd }), ...(budget_tokens === undefined ? {} : { budget_tokens }) }
}

/** How `vp do` ends, also where `vp resume` brought it there. */
export function doOutcome(result: DoResult, receipt: string): Outcome {
  if (result.status !== 'completed') return reportOutcome({ ...result, joined: false }, receipt)
  const view = {
    run_id: result.run_id,
    status: result.status,
    commit: result.commits[0] ? { sha: result.commits[0], subject: result.subject ?? result.goal } : null,
    branch: result.completed?.branch ?? result.branch,
    cost_usd: result.cost_usd,
    elapsed_ms: result.duration_ms,
    tests_changed: result.completed?.tests.changed ?? [],
    ...(result.not_completed ? { not_completed: result.not_completed.message } : {}),
    next: result.completed ? ['git show HEAD^', 'vp undo'] : [...(result.not_completed?.next ?? [])],
  }
  const { not_completed: moved } = result
  return {
    result,
    exit: result.exit,
    receipt,
    screen: (look) => doScreen(view, look),
    ...(moved ? { error: new VpError('workspace.moved', moved.message, { next: moved.next }) } : {}),
  }
}
