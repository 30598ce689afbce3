/** `vp start`, `resume`, `pause`, `terminate`, `do`: what makes runs go. */
import { spawn } from 'node:child_process'
import { isErrorCode, nextSteps, VpError } from '../../../core/errors.ts'
import { runDo, type DoResult } from '../../../operations/do.ts'
import { plmsStart } from '../../../operations/plms.ts'
import type { Started } from '../../../operations/projects/start.ts'
import type { RunReport } from '../../../operations/runs/report.ts'
import { runPause, runResume, runTerminate } from '../../../operations/runs.ts'
import type { Command, CommandContext, Outcome } from '../command.ts'
import { choiceFlag, numberFlag, splitWords, textFlag } from '../parse.ts'
import { doneScreen } from '../screens/by-hand.ts'
import { reportScreen, type ReportView } from '../screens/report.ts'
import { doScreen } from '../screens/small-change.ts'
import { watchRun } from '../watch.ts'
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
  const reason = result.reason ?? result.status
  const code = /^[a-z_]+\.[a-z_]+(?=: )/.exec(reason)?.[0]
  // A run that stopped for an error says so with that error's own code.
  const own = result.exit === 8 && code !== undefined && isErrorCode(code) ? nextSteps(new VpError(code, reason)) : []
  const next = [...result.approvals.map((id) => `vp approve ${id}`), ...(own.length > 0 ? [...own, 'vp resume'] : nextAfter(result))]
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
  return exit === 130 || exit === 7 ? ['vp resume'] : ['vp validate', 'vp logs']
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

export const startCommand: Command = {
  name: 'start',
  group: 'run',
  summary: 'run the approved plan',
  usage: 'vp start [--idempotency UUID] [--kind baseline|hotfix] [--detach]',
  examples: ['vp start', 'vp start --detach', 'vp start --idempotency $(uuidgen) --json'],
  flags: {
    idempotency: { type: 'string', help: 'the same key again is the same run' },
    kind: { type: 'string', help: 'baseline or hotfix (baseline); vp simulate rehearses, vp replay replays' },
    detach: { type: 'boolean', help: 'go on in the background' },
  },
  needsKit: true,
  exits: [0, 2, 3, 4, 5, 6, 7, 8, 130],
  json: 'run_id, status, reason, tasks_total, tasks_completed, tasks_failed, cost_usd, band, commits[], branch, passport_path, approvals[]',
  async run(context) {
    const kind = choiceFlag(context.flags, 'kind', ['baseline', 'hotfix']) ?? 'baseline'
    const key = textFlag(context.flags, 'idempotency')
    if (key !== undefined && key.length < 8)
      throw new VpError('usage.flag', 'Invalid or missing Idempotency-Key: at least 8 characters', {
        next: ['vp start --idempotency $(uuidgen)'],
      })
    const detach = context.flags['detach'] === true
    const watch = watchRun(context)
    try {
      const answer = await context.call(plmsStart, { run_kind: kind, detach }, { ...(key ? { idempotencyKey: key } : {}), live: watch.live })
      const result = answer.result as Started
      if (detach) background(context, result.run_id)
      return reportOutcome(result, answer.receipt)
    } finally {
      watch.end()
    }
  },
}

/** A process of its own that drives on; this one may go. */
function background(context: CommandContext, runId: string): void {
  const launcher = context.env['VP_LAUNCHER'] ?? 'vp'
  spawn(launcher, ['resume', runId, '--no-input'], {
    cwd: context.cwd,
    detached: true,
    stdio: 'ignore',
    env: { ...context.env } as NodeJS.ProcessEnv,
  }).unref()
}

export const resumeCommand: Command = {
  name: 'resume',
  group: 'run',
  summary: 'go on with a paused or killed run',
  usage: 'vp resume [RUN] [--budget-usd N] [--budget-tokens N]',
  takes: 1,
  examples: ['vp resume', 'vp resume 9c1f', 'vp resume 9c1f --budget-tokens 400000'],
  flags: {
    'budget-usd': { type: 'string', help: 'a new cap in dollars for a run of vp do; a plan’s is raised by vp approve' },
    'budget-tokens': { type: 'string', help: 'the same in tokens' },
  },
  needsKit: true,
  exits: [0, 2, 3, 4, 5, 6, 7, 8, 130],
  json: 'as vp start',
  async run(context) {
    const params = { ...(context.positionals[0] ? { run: context.positionals[0] } : {}), ...budgetFlags(context) }
    const watch = watchRun(context)
    try {
      const answer = await context.call(runResume, params, { live: watch.live })
      const result = answer.result as Started | DoResult
      return 'goal' in result ? doOutcome(result, answer.receipt) : reportOutcome(result, answer.receipt)
    } finally {
      watch.end()
    }
  },
}

export function budgetFlags({ flags }: CommandContext): { budget_usd?: number; budget_tokens?: number } {
  const budget_usd = numberFlag(flags, 'budget-usd')
  const budget_tokens = numberFlag(flags, 'budget-tokens')
  return { ...(budget_usd === undefined ? {} : { budget_usd }), ...(budget_tokens === undefined ? {} : { budget_tokens }) }
}

function controlCommand(name: 'pause' | 'terminate', summary: string): Command {
  return {
    name,
    group: 'run',
    summary,
    usage: `vp ${name} [RUN] [--reason TEXT]`,
    takes: 1,
    examples: [`vp ${name}`, `vp ${name} 9c1f`, `vp ${name} --reason "lunch"`],
    flags: { reason: { type: 'string', help: 'why' } },
    needsKit: true,
    exits: [0, 2, 7],
    json: 'run_id, status',
    async run(context) {
      const reason = textFlag(context.flags, 'reason')
      const answer = await context.call(name === 'pause' ? runPause : runTerminate, {
        ...(context.positionals[0] ? { run: context.positionals[0] } : {}),
        ...(reason ? { reason } : {}),
      })
      const result = answer.result as { run_id: string; status: string; running: number }
      return {
        result,
        receipt: answer.receipt,
        screen: (look) =>
          doneScreen(
            {
              done: `run ${result.run_id.split('-').at(-1)} ${result.status}${result.running === 0 ? '' : `, ${result.running} still at their last step`}`,
              next: name === 'pause' ? ['vp resume'] : ['vp start'],
            },
            look,
          ),
      }
    },
  }
}

export const pauseCommand = controlCommand('pause', 'begin nothing new, keep everything')
export const terminateCommand = controlCommand('terminate', 'end a run for good')

/** How `vp do` ends, also where `vp resume` brought it there. */
function doOutcome(result: DoResult, receipt: string): Outcome {
  if (result.status !== 'completed') return reportOutcome({ ...result, joined: false }, receipt)
  const view = {
    run_id: result.run_id,
    status: result.status,
    commit: result.commits[0] ? { sha: result.commits[0], subject: result.subject ?? result.goal } : null,
    branch: result.completed?.branch ?? result.branch,
    cost_usd: result.cost_usd,
    elapsed_ms: result.duration_ms,
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

export const doCommand: Command = {
  name: 'do',
  group: 'by hand',
  summary: 'one small change: tested, then committed',
  usage: 'vp do "GOAL" [--lane L] [--test CMD] [--budget-usd N] [--budget-tokens N] [--yes]',
  takes: 'words',
  examples: [
    'vp do "fix the failing test"',
    'vp do "name the unit in every price" --test "npm test"',
    'vp do "explain the retry rule in docs/retry.md" --lane Narrative',
  ],
  flags: {
    lane: { type: 'string', help: 'the lane whose rules hold (Code-Impl)' },
    test: { type: 'string', help: 'the command that proves it' },
    'budget-usd': { type: 'string', help: 'cap in dollars (0.50)' },
    'budget-tokens': { type: 'string', help: 'cap in tokens (200,000)' },
  },
  needsKit: true,
  exits: [0, 2, 3, 4, 5, 6, 7, 8, 130],
  json: 'run_id, status, reason, commits[], branch, cost_usd, completed, not_completed',
  async run(context) {
    const goal = context.positionals.join(' ').trim()
    if (goal === '') throw new VpError('usage.flag', 'vp do takes a goal in words', { next: ['vp do "fix the failing test"'] })
    const test = textFlag(context.flags, 'test')
    const lane = textFlag(context.flags, 'lane')
    const budget = budgetFlags(context)
    const watch = watchRun(context, { steps: true })
    try {
      const params = {
        goal,
        ...(lane ? { lane } : {}),
        ...(test ? { test: splitWords(test) } : {}),
        ...budget,
      }
      const answer = await context.call(runDo, params, { live: watch.live })
      return doOutcome(answer.result as DoResult, answer.receipt)
    } finally {
      watch.end()
    }
  },
}
