/** `vp start`, `resume`, `pause`, `terminate`: what makes runs go. */
import { spawn } from 'node:child_process'
import { VpError } from '../../../core/errors.ts'
import type { DoResult } from '../../../operations/do.ts'
import { plmsStart } from '../../../operations/plms.ts'
import type { Started } from '../../../operations/projects/start.ts'
import { runPause, runResume, runTerminate } from '../../../operations/runs.ts'
import type { Command, CommandContext } from '../command.ts'
import { choiceFlag, textFlag } from '../parse.ts'
import { doneScreen } from '../screens/by-hand.ts'
import { watchRun } from '../watch.ts'
import { budgetFlags, doOutcome, reportOutcome } from './outcomes.ts'

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
  json: 'run_id, status, reason, tasks_total, tasks_completed, tasks_failed, tasks_skipped, cost_usd, band, commits[], branch, passport_path, approvals[]',
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
      if (detach) {
        background(context, result.run_id)
        const done = `run ${result.run_id.split('-').at(-1)} goes on without this terminal`
        return { result, receipt: answer.receipt, screen: (look) => doneScreen({ done, next: ['vp status --follow', 'vp pause'] }, look) }
      }
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
