/**
 * May this command run? A decision on the whole argv, never on a string and never on a prefix. Deny beats ask beats
 * allow, and what no rule names is denied. Where arguments choose code, a rule for the bare program does not cover them.
 */
import { matchesPart } from './glob.ts'
import { globalDeny } from './global-rules.ts'
import { inlineCode, innerCommand, isInterpreter, isScriptRunner, type InlineCode } from './interpreters.ts'
import type { ArgvPattern, CommandRule, Lane } from './lane.ts'
import { programOf } from './program-name.ts'

export type Actor = 'human' | 'agent' | 'ci' | 'relay' | 'remote'
export type Effect = 'allow' | 'ask' | 'deny'

export interface Decision {
  readonly effect: Effect
  /** `lane/rule` or `global/rule`. */
  readonly rule: string
  readonly reason: string
  /** What would be allowed instead, in words. */
  readonly nearest?: string
  readonly where?: { readonly file: string; readonly line: number }
}

const MAX_ARGS = 1000
/** One argument of Linux. */
const MAX_BYTES = 128 * 1024
/** Control characters but tab and line break, and what hides or turns around the text a person reads. */
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/

export function decideCommand(argv: readonly string[], lane: Lane, actor: Actor): Decision {
  const shape = shapeProblem(argv)
  if (shape !== null) return { effect: 'deny', rule: 'global/argv', reason: shape }
  const global = globalDeny(argv)
  if (global !== null) return { effect: 'deny', ...global }
  if (actor === 'agent' && programOf(argv) === 'git') {
    return {
      effect: 'deny',
      rule: 'agent/no-git',
      reason: 'an agent has no git program, only the git operations',
      nearest: 'git.status, git.diff, git.log, git.show',
    }
  }
  const decision = decideInLane(argv, lane)
  const setup = decision.effect !== 'deny' && actor === 'agent' && isSetupCommand(argv, lane)
  if (!setup) return decision
  return {
    effect: 'deny',
    rule: 'agent/no-setup',
    reason: 'the environment is set up by vp for a person, never by an agent',
  }
}

/**
 * What words that somebody adds make of a command that a person fixed (`whole` is `fixed` with them): a refusal where they choose code or what no lane
 * opens; null where they only say what it is about. What is so without them is the person's.
 */
export function refuseAdded(fixed: readonly string[], whole: readonly string[], lane: Lane): Decision | null {
  const shape = shapeProblem(whole)
  if (shape !== null) return { effect: 'deny', rule: 'global/argv', reason: shape }
  const global = globalDeny(whole)
  if (global !== null && globalDeny(fixed) === null) return { effect: 'deny', ...global }
  const inline = inlineOf(whole)
  return inline !== null && inlineOf(fixed) === null ? { effect: 'deny', rule: `${lane.slug}/inline-code`, reason: inline.reason } : null
}

/** The first allowing rule that names the program, for a person who was refused. */
export function nearestAllowed(argv: readonly string[], lane: Lane): string | undefined {
  const program = programOf(argv)
  const same = lane.commands.allow.filter((rule) => programOf(rule.argv) === program)
  const best = same.toSorted((a, b) => sharedTokens(b.argv, argv) - sharedTokens(a.argv, argv))[0]
  return best === undefined ? undefined : `${best.argv.join(' ')} (${best.id})`
}

function decideInLane(argv: readonly string[], lane: Lane): Decision {
  const denied = lane.commands.deny.find((rule) => matchesArgv(rule.argv, argv))
  if (denied !== undefined) return { effect: 'deny', rule: denied.id, reason: `the lane ${lane.name} denies it`, ...whereOf(denied) }
  const own = decideAllow(argv, lane)
  if (own.effect === 'deny' || lane.within === undefined) return own
  const outer = decideInLane(argv, lane.within)
  // The stricter of the two speaks; of equals the one that is nearer at hand.
  return outer.effect === 'deny' || (own.effect === 'allow' && outer.effect === 'ask') ? outer : own
}

function decideAllow(argv: readonly string[], lane: Lane): Decision {
  const rules = lane.commands.allow.filter((rule) => matchesArgv(rule.argv, argv))
  const inline = inlineOf(argv)
  if (inline !== null) {
    const byName = rules.find((rule) => rule.argv.includes(inline.flag) || !rule.argv.some((token) => token.includes('*')))
    if (byName !== undefined) return allowBy(byName, lane)
    if (inline.asksAlways || lane.commands.allow.some((rule) => programOf(rule.argv) === programOf(argv))) {
      return { effect: 'ask', rule: `${lane.slug}/inline-code`, reason: inline.reason, ...nearestOf(argv, lane), ...whereOf(lane) }
    }
  }
  const rule = rules.find((candidate) => candidate.effect === 'ask') ?? rules[0]
  if (rule !== undefined) return allowBy(rule, lane)
  return {
    effect: 'deny',
    rule: `${lane.slug}/no-rule`,
    reason: `no rule of the lane ${lane.name} allows it`,
    ...nearestOf(argv, lane),
    ...whereOf(lane),
  }
}

/** Code among the arguments, of the program or of the one that it runs. */
function inlineOf(argv: readonly string[]): InlineCode | null {
  const [program, rest] = [programOf(argv), argv.slice(1)]
  const own = inlineCode(program, rest)
  const inner = own === null ? innerCommand(program, rest) : null
  if (inner === null || (isScriptRunner(program) && !isInterpreter(programOf(inner)))) return own
  return inlineOf(inner)
}

function allowBy(rule: CommandRule, lane: Lane): Decision {
  const effect = rule.effect ?? 'allow'
  const reason = effect === 'ask' ? 'it needs a yes from a person' : `the lane ${lane.name} allows it`
  return { effect, rule: rule.id, reason, ...whereOf(rule) }
}

function isSetupCommand(argv: readonly string[], lane: Lane): boolean {
  const own = lane.commands.allow.some((rule) => rule.isSetup === true && matchesArgv(rule.argv, argv))
  return own || isInstall(argv) || (lane.within !== undefined && isSetupCommand(argv, lane.within))
}

/** A lane file cannot say what sets up the environment, so these are known by name. */
function isInstall(argv: readonly string[]): boolean {
  return ['npm', 'pnpm', 'yarn', 'uv', 'poetry', 'bundle', 'composer'].includes(programOf(argv)) && /^(?:ci|install|sync)$/.test(argv[1] ?? '')
}

/** Walks the argv once with the set of pattern positions that can be reached. */
export function matchesArgv(pattern: ArgvPattern, argv: readonly string[]): boolean {
  const last = pattern.length - 1
  const takesRest = pattern[last] === '*'
  let reach = skipOptional(pattern, new Set([0]))
  for (const argument of argv) {
    const next = new Set<number>()
    for (const at of reach) {
      const token = pattern[at]
      if (token === undefined) continue
      if (takesRest && at === last) next.add(at)
      else if (tokenFits(token, argument)) next.add(at + 1)
    }
    if (next.size === 0) return false
    reach = skipOptional(pattern, next)
  }
  return reach.has(pattern.length) || (takesRest && reach.has(last))
}

function skipOptional(pattern: ArgvPattern, reach: Set<number>): Set<number> {
  for (const at of reach) if (isOptional(pattern[at])) reach.add(at + 1)
  return reach
}

function tokenFits(token: string, argument: string): boolean {
  if (isOptional(token)) return argument === token.slice(0, -1)
  if (!token.includes('*')) return token === argument
  // An option is never what a rule means by a file or a value, however it ends.
  return argument.startsWith('-') && !token.startsWith('-') ? false : matchesPart(token, argument, { hasQuestion: false })
}

function isOptional(token: string | undefined): boolean {
  return token !== undefined && token.length > 1 && token.endsWith('?')
}

function shapeProblem(argv: readonly string[]): string | null {
  if (argv.length === 0) return 'the command is empty'
  if (argv.length > MAX_ARGS || argv.reduce((sum, argument) => sum + Buffer.byteLength(String(argument)) + 1, 0) > MAX_BYTES) return 'the command is too long'
  if (argv.some((argument) => typeof argument !== 'string' || !argument.isWellFormed())) return 'every argument is a text'
  if (argv.some((argument) => UNSEEN.test(argument))) return 'an argument holds a control character or one that cannot be seen'
  if (!/^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$/.test(argv[0] ?? '')) return 'the program is a bare name, without a path'
  return null
}

function sharedTokens(pattern: ArgvPattern, argv: readonly string[]): number {
  return pattern.filter((token) => argv.includes(token)).length
}

function nearestOf(argv: readonly string[], lane: Lane): { nearest?: string } {
  const nearest = nearestAllowed(argv, lane)
  return nearest === undefined ? {} : { nearest }
}

function whereOf(rule: Pick<CommandRule, 'where'>): { where?: { file: string; line: number } } {
  return rule.where === undefined ? {} : { where: rule.where }
}
