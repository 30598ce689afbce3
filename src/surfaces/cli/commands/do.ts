/** `vp do`: one small change. In a file of its own, and a chunk of its own: it is the verb that is typed most. */
import { VpError } from '../../../core/errors.ts'
import { runDo, type DoResult } from '../../../operations/do.ts'
import type { Command } from '../command.ts'
import { splitWords, textFlag } from '../parse.ts'
import { watchRun } from '../watch.ts'
import { budgetFlags, doOutcome } from './outcomes.ts'

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
