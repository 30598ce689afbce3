/**
 * The one document of `--json`, success and failure alike; and the lines of `--follow`. Within a version fields are
 * only added. design/cli.md section 5.
 */
import { VpError, type ErrorCode } from '../../core/errors.ts'
import { argvsOf, errorJson, type ErrorJson } from './error.ts'

export const JSON_VERSION = 1

export interface Envelope {
  readonly ok: boolean
  readonly v: typeof JSON_VERSION
  /** `vp estimate`. */
  readonly command: string
  readonly result?: unknown
  readonly warnings: readonly string[]
  readonly receipt: string | null
  readonly error?: ErrorJson
}

/** What a command hands back. */
export interface EnvelopeOutcome {
  readonly result: unknown
  readonly exit?: number
  readonly warnings?: readonly string[]
  readonly receipt?: string | null
  /** Why a result comes with another exit than 0; a general word for the exit when absent. */
  readonly error?: unknown
}

/** What an exit means when the result itself says the rest: a validation with violations is no exception. */
const EXIT_WORDS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  2: ['usage.params', 'not ready'],
  3: ['gate.failed', 'not everything holds, see result'],
  4: ['policy.denied', 'denied, see result'],
  5: ['approval.needed', 'an approval is needed, see result'],
  6: ['budget.cap', 'a budget is reached, see result'],
  7: ['project.state', 'not all could be done, see result'],
  8: ['model.none', 'no model available'],
  130: ['cancelled', 'interrupted'],
}

/** `command` as typed: `vp estimate`. A result with an exit other than 0 is not ok, and says why beside it. */
export function successEnvelope(command: string, outcome: EnvelopeOutcome): Envelope {
  const exit = outcome.exit ?? 0
  const common = { warnings: outcome.warnings ?? [], receipt: outcome.receipt ?? null }
  const result = outcome.result ?? {}
  if (exit === 0) return { ok: true, v: JSON_VERSION, command, result, ...common }
  const [code, words] = EXIT_WORDS[exit] ?? ['internal', 'unexpected']
  return {
    ok: false,
    v: JSON_VERSION,
    command,
    error: errorJson(outcome.error ?? new VpError(code, words)),
    result,
    ...common,
  }
}

/** `result` is what is known all the same: exits 3, 6 and 7 carry it. */
export function failureEnvelope(command: string, thrown: unknown, outcome: Partial<EnvelopeOutcome> = {}): Envelope {
  return {
    ok: false,
    v: JSON_VERSION,
    command,
    error: errorJson(thrown),
    ...(outcome.result === undefined ? {} : { result: outcome.result }),
    warnings: outcome.warnings ?? [],
    receipt: outcome.receipt ?? null,
  }
}

export function envelopeLine(envelope: Envelope): string {
  return `${JSON.stringify(envelope)}\n`
}

/** `next[]` of a result: commands to copy as argument lists. */
export function nextArgv(commands: readonly string[]): string[][] {
  return commands.flatMap(argvsOf)
}

export type FollowEvent = 'start' | 'op' | 'gate' | 'again' | 'waits' | 'done' | 'failed' | 'paused' | 'alive'

/** One line of `--follow`. `t` is ISO-8601 UTC. */
export function followLine(seq: number, event: FollowEvent, fields: Readonly<Record<string, unknown>> & { readonly t: string }): string {
  return `${JSON.stringify({ seq, event, ...fields })}\n`
}

export function followEnd(exit: number): string {
  return `${JSON.stringify({ event: 'end', exit })}\n`
}
