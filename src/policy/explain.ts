/**
 * A decision as the record of `vp policy explain`: the rule that spoke, and the place where a person finds it.
 * design/cli.md section 4.8.
 */
import type { Actor, Effect } from './argv.ts'
import { decideCommand } from './argv.ts'
import type { Lane } from './lane.ts'
import { ownGit } from './own-git.ts'

export interface Explanation {
  readonly allowed: boolean
  readonly effect: Effect
  readonly rule: string
  readonly reason: string
  readonly lane: string
  readonly argv: readonly string[]
  readonly nearest?: string
  /** Where the rule stands; where no rule fits, the list that has none. null: it is no file's. */
  readonly file: string | null
  readonly line: number | null
  /** The lane shipped with vp that the rule is of; null: a file's, or one that no lane can change. */
  readonly shipped: string | null
  /** Of what is let through. */
  readonly terms: readonly string[]
}

/** `box` is the sandbox in force, as in `bwrap`. */
export function explainCommand(argv: readonly string[], lane: Lane, options: { readonly actor: Actor; readonly box?: string | undefined }): Explanation {
  const decision = decideCommand(argv, lane, options.actor)
  const { effect, rule, reason, nearest, where } = (decision.effect === 'deny' ? null : ownGit(argv)) ?? decision
  const terms = [options.box, lane.network.outbound ? 'network' : 'no network', `${lane.limits.maxExecSeconds}s`]
  return {
    allowed: effect === 'allow',
    effect,
    rule,
    reason,
    lane: lane.name,
    argv,
    ...(nearest === undefined ? {} : { nearest }),
    file: where?.file ?? null,
    line: where?.line ?? null,
    shipped: where === undefined && rule.startsWith(`${lane.slug}/`) ? lane.name : null,
    terms: effect === 'deny' ? [] : terms.filter((term) => term !== undefined),
  }
}
