/**
 * Placeholders in a command of an agent: their values are put in at the moment the command runs, where the lane says so,
 * and are masked in whatever comes back. Never in parameters, receipts, questions or answers, which keep the placeholder.
 */
import { sha256 } from '../core/json.ts'
import type { Lane } from '../policy/lane.ts'
import { hasPlaceholder, PLACEHOLDER } from '../policy/redact.ts'
import { restored } from './masking.ts'
import type { Decision, Scene } from './operation.ts'

export type Revealed =
  /** Nothing stands for anything. */
  | { readonly kind: 'plain'; readonly argv: readonly string[] }
  /** As it runs; what a yes to it is bound to. */
  | { readonly kind: 'revealed'; readonly argv: readonly string[]; readonly sha: string }
  | { readonly kind: 'refused'; readonly decision: Decision }

/** A shorter value cannot be kept out of what a command prints. */
const MIN_CHARS = 4

export function revealArgv(argv: readonly string[], lane: Lane, scene: Scene): Revealed {
  if (scene.caller.actor !== 'agent' || !argv.some(hasPlaceholder)) return { kind: 'plain', argv }
  const refuse = (reason: string): Revealed => ({
    kind: 'refused',
    decision: { effect: 'deny', rule: `${lane.slug}/secrets`, reason, nearest: 'the same command without the placeholder' },
  })
  const [first = ''] = argv.flatMap((arg) => [...arg.matchAll(PLACEHOLDER)].map(([found]) => found))
  if (lane.restoreSecrets !== true)
    return refuse(`${first} stands for a value that stays with the person, and the lane ${lane.name} gives such values to no command`)
  if (hasPlaceholder(argv[0] ?? '')) return refuse('a placeholder cannot name the program')
  const masking = scene.tree.masking()
  for (const arg of argv)
    for (const [placeholder] of arg.matchAll(PLACEHOLDER)) {
      const value = masking.reveal(placeholder)
      if (value === undefined) return refuse(`${placeholder} stands for nothing that this task was shown`)
      if (value.length < MIN_CHARS || value.includes('\0')) return refuse(`the value of ${placeholder} could not be kept out of what the command prints`)
    }
  const whole = argv.map((arg) => restored(masking, arg))
  return { kind: 'revealed', argv: whole, sha: sha256(JSON.stringify(whole)) }
}
