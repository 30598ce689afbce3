/**
 * Which model a task gets: the cheapest tier that may and can. Pure, so that the same facts always give the same answer;
 * every tier that was passed over has a reason. Source: contracts/policy.md section 2.
 */
import type { LaneConstraints, Requirement, Tool } from '../policy/schema.ts'
import type { Price } from '../prices.ts'
import type { RateLimits, Use } from './windows.ts'

/** One model with all that is known of it now. */
export interface Candidate {
  /** `provider:model@host` */
  readonly key: string
  readonly tier: string
  readonly price: Price | null
  readonly local: boolean
  readonly tools: readonly Tool[]
  /** The smaller of the tier's limit and the model's own window. */
  readonly window_tokens: number
  /** Of its tier; absent: what is asked for. */
  readonly max_output_tokens?: number | undefined
  readonly p50_ms: number
  readonly p95_ms: number
  /** Absent: never made, or too old. */
  readonly tests: Readonly<Record<string, boolean>>
  /** Stands for a test that is absent. */
  readonly assume_capable: boolean
  readonly limits: RateLimits
  /** Of its tier, in the last 60 s. */
  readonly used: Use
  /** Why it cannot be called now: no key, nobody's yes, failed less than 30 s ago. */
  readonly barred: Barred | null
}

export interface Barred {
  readonly kind: 'unhealthy' | 'forbidden'
  readonly reason: string
}

/** A tier of the policy: its models in the order in which they are tried. */
export interface CandidateTier {
  readonly name: string
  readonly models: readonly Candidate[]
}

export interface Selecting {
  readonly requirement: Requirement
  /** Of the largest request; what is packed to fit counts as it is sent. */
  readonly tokens_in: number
  readonly tokens_out: number
  /** Of the whole task, for what it will cost. */
  readonly task_tokens: { readonly in: number; readonly out: number }
  readonly tiers: readonly CandidateTier[]
  readonly override: { readonly candidate: Candidate; readonly constraints: LaneConstraints } | null
  /** In the policy's order; asked only where something above has failed. */
  readonly fallback: readonly Candidate[]
  readonly prefer_local: boolean
  /** null: no cap. */
  readonly left: { readonly micro_usd: number | null; readonly tokens: number | null }
  readonly network: 'none' | 'outbound'
  readonly allow_unknown_price: boolean
  /** An escalation: only what comes after this tier in the order of cost. */
  readonly above?: string | undefined
  /** The tier of the last attempt: nothing cheaper. */
  readonly from?: string | undefined
  /** Those that failed in this attempt, by key. */
  readonly tried?: ReadonlySet<string>
}

export interface Drop {
  readonly tier: string
  readonly model: string
  readonly reason: string
  /** Where nothing but one cap of the budget stands in the way: what would have to be left of it. */
  readonly short?: { readonly cap: 'micro_usd' | 'tokens'; readonly needs: number }
}

export type Selection =
  | {
      readonly kind: 'selected'
      readonly candidate: Candidate
      readonly by: 'lane_override' | 'tier' | 'fallback_chain'
      readonly expected_micro_usd: number | null
      /** Over half of its window. */
      readonly tight: boolean
      readonly dropped: readonly Drop[]
    }
  | { readonly kind: 'no_eligible_tier'; readonly dropped: readonly Drop[] }

const FULL = 0.75
const HALF = 0.5

export function select(asked: Selecting): Selection {
  const dropped: Drop[] = []
  let hasFailed = false
  const ordered = inOrderOfCost(asked)
  const chain: { candidate: Candidate; by: 'lane_override' | 'tier'; constraints: LaneConstraints }[] = [
    ...(asked.override && asked.above === undefined && asked.from === undefined
      ? [{ candidate: asked.override.candidate, by: 'lane_override' as const, constraints: asked.override.constraints }]
      : []),
    ...ordered.flatMap((tier) => tier.models.map((candidate) => ({ candidate, by: 'tier' as const, constraints: asked.override?.constraints ?? {} }))),
  ]
  for (const { candidate, by, constraints } of chain) {
    const reason = whyNot(asked, candidate, constraints)
    if (reason === null) return selected(asked, candidate, by, dropped)
    hasFailed ||= candidate.barred?.kind === 'unhealthy' || asked.tried?.has(candidate.key) === true
    dropped.push(dropOf(asked, candidate, constraints, reason))
  }
  if (hasFailed)
    for (const candidate of asked.fallback) {
      const constraints = asked.override?.constraints ?? {}
      const reason = whyNot(asked, candidate, constraints)
      if (reason === null) return selected(asked, candidate, 'fallback_chain', dropped)
      dropped.push(dropOf(asked, candidate, constraints, reason))
    }
  return { kind: 'no_eligible_tier', dropped }
}

function selected(asked: Selecting, candidate: Candidate, by: 'lane_override' | 'tier' | 'fallback_chain', dropped: readonly Drop[]): Selection {
  const tight = asked.tokens_in + answerOf(asked, candidate) > HALF * candidate.window_tokens
  return { kind: 'selected', candidate, by, expected_micro_usd: expectedCost(asked, candidate), tight, dropped }
}

/** By what a task will cost, ties by p50; an unknown price comes last. `above` leaves what comes after it. */
export function inOrderOfCost(asked: Pick<Selecting, 'tiers' | 'task_tokens' | 'prefer_local' | 'above' | 'from'>): readonly CandidateTier[] {
  const cost = ({ models: [first] }: CandidateTier) => (first ? (expectedCost(asked, first) ?? Infinity) : Infinity)
  const far = ({ models: [first] }: CandidateTier) => (asked.prefer_local && first && !first.local ? 1 : 0)
  const ordered = asked.tiers.toSorted(
    (a, b) => far(a) - far(b) || (cost(a) === cost(b) ? 0 : cost(a) - cost(b)) || (a.models[0]?.p50_ms ?? 0) - (b.models[0]?.p50_ms ?? 0),
  )
  const at = (name: string) => ordered.findIndex((tier) => tier.name === name)
  if (asked.above !== undefined) return at(asked.above) < 0 ? [] : ordered.slice(at(asked.above) + 1)
  // A tier that the policy no longer has binds nobody.
  return asked.from === undefined ? ordered : ordered.slice(Math.max(0, at(asked.from)))
}

/** Of what is answered: all of it may be thinking. */
const dearest = ({ out_per_million_usd: out, think_per_million_usd: think = 0 }: Price) => Math.max(out, think)

/** Micro-USD of the task; null where nobody knows the price. */
export function expectedCost({ task_tokens }: Pick<Selecting, 'task_tokens'>, { price }: Candidate): number | null {
  return price && Math.ceil(task_tokens.in * price.in_per_million_usd + task_tokens.out * dearest(price))
}

function dropOf(asked: Selecting, candidate: Candidate, constraints: LaneConstraints, reason: string): Drop {
  const drop = { tier: candidate.tier, model: candidate.key, reason }
  const cost = expectedCost(asked, candidate)
  const { left } = asked
  const fits = (change: Partial<Selecting['left']>) => whyNot({ ...asked, left: { ...left, ...change } }, candidate, constraints) === null
  if (cost !== null && fits({ micro_usd: cost })) return { ...drop, short: { cap: 'micro_usd', needs: cost } }
  const tokens = asked.tokens_in + answerOf(asked, candidate)
  return fits({ tokens }) ? { ...drop, short: { cap: 'tokens', needs: tokens } } : drop
}

/** The reason in words, or null where it may and can. */
function whyNot(asked: Selecting, candidate: Candidate, constraints: LaneConstraints): string | null {
  const { requirement } = asked
  if (asked.network === 'none' && !candidate.local) return 'is not on this machine, and nothing may leave it'
  const lacking = requirement.tools.filter((tool) => !candidate.tools.includes(tool))
  if (lacking.length > 0) return `lacks ${lacking.join(', ')}`
  for (const name of requirement.capability_tests) {
    if (candidate.tests[name] === false) return `failed the capability test ${name}`
    if (candidate.tests[name] === undefined && !candidate.assume_capable) return `has not passed the capability test ${name}`
  }
  if (requirement.min_context_tokens !== undefined && candidate.window_tokens < requirement.min_context_tokens)
    return `has a window of ${candidate.window_tokens} tokens, ${requirement.min_context_tokens} are needed`
  if (requirement.max_latency_ms !== undefined && candidate.p95_ms > requirement.max_latency_ms)
    return `answers within ${candidate.p95_ms} ms at best, ${requirement.max_latency_ms} ms are wanted`
  const request = asked.tokens_in + answerOf(asked, candidate)
  if (request > FULL * candidate.window_tokens) return `${request} tokens are over 75 % of its window of ${candidate.window_tokens}`
  return whyNotNow(asked, candidate) ?? whyTooDear(asked, candidate, constraints)
}

/** The longest answer that it is asked for. */
const answerOf = ({ tokens_out }: Selecting, { max_output_tokens = Infinity }: Candidate) => Math.min(tokens_out, max_output_tokens)

function whyNotNow(asked: Selecting, candidate: Candidate): string | null {
  const { key, barred, limits, used, price } = candidate
  if (asked.tried?.has(key)) return 'has failed in this attempt'
  if (barred) return barred.reason
  const out = answerOf(asked, candidate)
  const tokens = asked.tokens_in + out
  if (used.tokens + tokens > limits.max_tokens_per_min) return `${used.tokens} of ${limits.max_tokens_per_min} tokens a minute are used`
  const next = price ? Math.ceil(asked.tokens_in * price.in_per_million_usd + out * dearest(price)) : 0
  if (used.micro_usd + next > limits.max_micro_usd_per_min) return `${usd(used.micro_usd)} of ${usd(limits.max_micro_usd_per_min)} a minute are used`
  return null
}

function whyTooDear(asked: Selecting, candidate: Candidate, constraints: LaneConstraints): string | null {
  const cost = expectedCost(asked, candidate)
  const tokens = asked.task_tokens.in + asked.task_tokens.out
  if (cost === null) {
    if (asked.allow_unknown_price) return null
    if (asked.left.micro_usd !== null || constraints.max_cost_per_task_usd !== undefined) return 'its price is unknown, and there is a budget'
    return null
  }
  if (constraints.max_cost_per_task_usd !== undefined && cost > constraints.max_cost_per_task_usd * 1e6)
    return `would cost ${usd(cost)}, the lane allows ${usd(constraints.max_cost_per_task_usd * 1e6)} a task`
  if (constraints.max_tokens_per_task !== undefined && tokens > constraints.max_tokens_per_task)
    return `would take ${tokens} tokens, the lane allows ${constraints.max_tokens_per_task} a task`
  if (asked.left.micro_usd !== null && cost > asked.left.micro_usd) return `would cost ${usd(cost)}, ${usd(Math.max(0, asked.left.micro_usd))} is left`
  if (asked.left.tokens !== null && asked.tokens_in + answerOf(asked, candidate) > asked.left.tokens) return `${Math.max(0, asked.left.tokens)} tokens are left`
  return null
}

const usd = (micro: number): string => `$${(micro / 1e6).toFixed(micro > 0 && micro < 10_000 ? 4 : 2)}`
