/**
 * A decision as the words and the record of `vp policy explain`. design/cli.md section 4.8.
 */
import type { Actor, Decision, Effect } from './argv.ts'
import { decideCommand } from './argv.ts'
import type { Lane } from './lane.ts'

export interface Explanation {
  readonly allowed: boolean
  readonly effect: Effect
  readonly rule: string
  readonly reason: string
  readonly lane: string
  readonly argv: readonly string[]
  readonly nearest?: string
  readonly file?: string
  readonly line?: number
  /** The screen's lines. */
  readonly text: string
}

/** `box` is the sandbox in force, as in `bwrap`. */
export function explainCommand(argv: readonly string[], lane: Lane, options: { readonly actor: Actor; readonly box?: string }): Explanation {
  const decision = decideCommand(argv, lane, options.actor)
  const { effect, rule, reason, nearest, where } = decision
  return {
    allowed: effect === 'allow',
    effect,
    rule,
    reason,
    lane: lane.name,
    argv,
    ...(nearest === undefined ? {} : { nearest }),
    ...(where === undefined ? {} : { file: where.file, line: where.line }),
    text: decisionText(decision, lane, options.box),
  }
}

function decisionText(decision: Decision, lane: Lane, box: string | undefined): string {
  const { effect, rule, reason, nearest, where } = decision
  const from = where === undefined ? '' : ` (${where.file}:${where.line})`
  const terms = [box, lane.network.outbound ? 'network' : 'no network', `${lane.limits.maxExecSeconds}s`].filter((term) => term !== undefined)
  if (effect === 'allow') return `allow  ${rule}${from} · ${terms.join(', ')}`
  const head = `${effect === 'ask' ? 'ask   ' : 'deny  '} ${rule}${from}, ${reason}`
  return nearest === undefined ? head : `${head}\n       nearest allowed: ${nearest}`
}
