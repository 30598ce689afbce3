/** `vp egress show`: the bytes that left in a run, each after a line that names it, or only those lines. */
import { VpError } from '../../../core/errors.ts'
import { canonicalJson, type Json } from '../../../core/json.ts'
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
  json: 'calls[]{task,attempt,turn,ts,host,model,outcome,sha256,bytes,sends,masked,unmasked,proved,request}, requests, bytes, masked, unmasked, hosts[], proved',
  async run(context) {
    const answer = await context.call(egressShow, context.positionals[0] === undefined ? {} : { run: context.positionals[0] })
    const result = answer.result as Egress
    // A terminal must not obey what was sent; a file gets the bytes.
    const shown = context.look.tty ? cleanText : (text: string) => text
    if (!context.json && context.flags['summary'] !== true)
      for (const call of result.calls.filter((one) => one.request !== null))
        context.write(`# ${callName(call)} · ${call.bytes} bytes · sha256 ${call.sha256}\n${shown(canonicalJson(call.request as Json))}\n`)
    const wrong = result.calls.find((call) => !call.proved)
    return {
      result,
      receipt: answer.receipt,
      ...(wrong
        ? {
            exit: 3,
            error: new VpError('ledger.altered', `${callName(wrong)}: no receipt has the hash of the bytes that are recorded for it`, { next: ['vp verify'] }),
          }
        : {}),
      screen: (look) => egressScreen()({ ...result, next: wrong ? ['vp verify'] : [] }, look),
    }
  },
}
