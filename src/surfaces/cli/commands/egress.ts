/** `vp egress show`: the bodies that left in a run, to the byte, each after a line that names it, or only those lines. */
import { VpError } from '../../../core/errors.ts'
import { egressShow, type Egress } from '../../../operations/egress.ts'
import type { Command } from '../command.ts'
import { cleanText } from '../finish.ts'
import { callName, egressScreen } from '../screens/egress.ts'

export const egressShowCommand: Command = {
  name: 'egress show',
  group: 'prove',
  summary: 'the bytes that left, with hashes',
  usage: 'vp egress show [RUN] [--summary]',
  takes: 1,
  examples: ['vp egress show', 'vp egress show 9c1f --summary', 'vp egress show 9c1f --json | jq .result.hosts'],
  flags: { summary: { type: 'boolean', help: 'without the bytes' } },
  needsKit: true,
  exits: [0, 2, 3],
  json: 'calls[]{task,attempt,turn,ts,model,outcome,sends,host,path,sha256,bytes,masked,unmasked,kept,proved,body}, requests, bytes, masked, unmasked, hosts[], missing, proved',
  async run(context) {
    const answer = await context.call(egressShow, context.positionals[0] === undefined ? {} : { run: context.positionals[0] })
    const result = answer.result as Egress
    // A terminal must not obey what was sent; a file gets the bytes.
    const shown = context.look.tty ? cleanText : (text: string) => text
    if (!context.json && context.flags['summary'] !== true)
      for (const call of result.calls)
        if (call.body !== null)
          context.write(`# ${callName(call)} · ${call.host ?? ''}${call.path ?? ''} · ${call.bytes} bytes · sha256 ${call.sha256}\n${shown(call.body)}\n`)
    const wrong = result.calls.find((call) => call.kept && !call.proved)
    return {
      result,
      receipt: answer.receipt,
      ...(wrong
        ? {
            exit: 3,
            error: new VpError('ledger.altered', `${callName(wrong)}: no receipt has the hash of the bytes that are kept for it`, { next: ['vp verify'] }),
          }
        : {}),
      screen: (look) => egressScreen()({ ...result, next: wrong ? ['vp verify'] : [] }, look),
    }
  },
}
