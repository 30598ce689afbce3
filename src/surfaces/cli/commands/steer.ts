/** `vp tell` and `vp context show`: words to a run at work, and what its model has before it. */
import { VpError } from '../../../core/errors.ts'
import { contextShow, type ContextShown } from '../../../operations/context-show.ts'
import { runTell, type ToldResult } from '../../../operations/tell.ts'
import type { Command } from '../command.ts'
import { textFlag } from '../parse.ts'
import { contextScreen, toldScreen } from '../screens/steer.ts'

export const tellCommand: Command = {
  name: 'tell',
  group: 'run',
  summary: 'words to a run at work, heard at its next turn',
  usage: 'vp tell RUN "TEXT" [--task ID]',
  takes: 'words',
  examples: [
    'vp tell 9c1f "keep the public API as it is"',
    'vp tell 9c1f --task T3 "use the cents, not the floats"',
    'vp pause && vp tell 9c1f "…" && vp resume',
  ],
  flags: { task: { type: 'string', help: 'this task only' } },
  needsKit: true,
  exits: [0, 2, 6, 7],
  json: 'run_id, n, text, hears[], when',
  async run(context) {
    const [run, ...words] = context.positionals
    if (run === undefined || words.length === 0)
      throw new VpError('usage.flag', 'tell needs a run and words', { next: ['vp tell 9c1f "keep the public API as it is"', 'vp status'] })
    const task = textFlag(context.flags, 'task')
    const answer = await context.call(runTell, { run, text: words.join(' '), ...(task ? { task } : {}) })
    const result = answer.result as ToldResult
    const next = result.when === 'when resumed' ? ['vp resume'] : [`vp context show ${result.run_id.split('-').at(-1)}`]
    return { result, receipt: answer.receipt, screen: (look) => toldScreen({ ...result, next }, look) }
  },
}

export const contextShowCommand: Command = {
  name: 'context show',
  group: 'prove',
  summary: 'what the model has before it, and what was left out',
  usage: 'vp context show [RUN] [--task ID]',
  takes: 2,
  examples: ['vp context show', 'vp context show 9c1f --task T3', 'vp context show 9c1f --json | jq .result.dropped'],
  flags: { task: { type: 'string', help: 'this task; else the one that asked last' } },
  needsKit: true,
  exits: [0, 2, 3],
  json: 'task, attempt, turn, window{window_tokens,room_tokens,used_tokens,fraction_used}, pins[]{kind,text,about,cite,since,until,receipt,holds}, items[]{id,title,form,tokens,file,lines,receipt}, dropped[]{id,title,reason,receipt}, compactions[]{turn,reason,before_tokens,after_tokens}, instructions[]{path,sha256,characters,shown}, unread[]{path,bytes}, proved',
  async run(context) {
    const [run, word] = context.positionals
    const task = textFlag(context.flags, 'task') ?? word
    const answer = await context.call(contextShow, { ...(run === undefined ? {} : { run }), ...(task ? { task } : {}) })
    const result = answer.result as ContextShown
    return {
      result,
      receipt: answer.receipt,
      ...(result.proved
        ? {}
        : {
            exit: 3,
            error: new VpError('ledger.altered', `turn ${result.turn} of ${result.task}: built again from the ledger it is not what was sent`, {
              next: ['vp verify'],
            }),
          }),
      screen: (look) => contextScreen({ ...result, next: result.proved ? [] : ['vp verify'] }, look),
    }
  },
}
