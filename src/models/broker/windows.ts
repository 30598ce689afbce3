/**
 * What was seen of a model's calls lately, as rules: rolling limits of a tier, health, latency, circuit breaker. Pure;
 * the calls come from the store that all processes share, the time as an argument in ms. Source: contracts/policy.md section 2.
 */

/** One call. While it goes on its tokens and money are the worst case that is held for it. */
export interface CallSeen {
  readonly tier: string
  /** `provider:model@host` */
  readonly model: string
  readonly ts: number
  readonly tokens: number
  readonly micro_usd: number
  /** null: it goes on, or its process died. */
  readonly ms: number | null
  /** `other`: it ended without saying anything of the model's health, as when it was cancelled. */
  readonly outcome: 'open' | 'ok' | 'failed' | 'other'
}

export const ROLLING_MS = 60_000
export const UNHEALTHY_MS = 30_000
/** So many failures in a row open the circuit, each further one for twice as long. */
const FAILURES = 3
const OPEN_MS = 30_000
const LONGEST_OPEN_MS = 300_000
/** What is older says nothing any more. */
export const KEPT_MS = 3_600_000

export interface Use {
  readonly tokens: number
  readonly micro_usd: number
}
export interface RateLimits {
  readonly max_tokens_per_min: number
  readonly max_micro_usd_per_min: number
}

/** Of a tier, within the last 60 s. */
export function rollingUse(calls: readonly CallSeen[], tier: string, now: number): Use {
  const within = calls.filter((call) => call.tier === tier && call.ts > now - ROLLING_MS)
  return { tokens: sum(within, 'tokens'), micro_usd: sum(within, 'micro_usd') }
}

/** Ms until a call of this size fits: 0 now, null never, since it is larger than the limit itself. */
export function waitFor(calls: readonly CallSeen[], tier: string, limits: RateLimits, next: Use, now: number): number | null {
  if (next.tokens > limits.max_tokens_per_min || next.micro_usd > limits.max_micro_usd_per_min) return null
  const fits = (at: number) => {
    const used = rollingUse(calls, tier, at)
    return used.tokens + next.tokens <= limits.max_tokens_per_min && used.micro_usd + next.micro_usd <= limits.max_micro_usd_per_min
  }
  if (fits(now)) return 0
  // Room comes only when a call falls out of the window.
  const leaves = calls.filter((call) => call.tier === tier && call.ts > now - ROLLING_MS).map((call) => call.ts + ROLLING_MS)
  return (leaves.toSorted((a, b) => a - b).find(fits) ?? now + ROLLING_MS) - now
}

/** `failed`: the last call that ended did so badly, less than 30 s ago. */
export function health(calls: readonly CallSeen[], model: string, now: number): 'ok' | 'failed' {
  const last = ended(calls, model).at(-1)
  return last?.outcome === 'failed' && endOf(last) > now - UNHEALTHY_MS ? 'failed' : 'ok'
}

export interface Breaker {
  /** `half_open`: one call may try. */
  readonly state: 'closed' | 'open' | 'half_open'
  /** When the next call may try; 0 where it may now. */
  readonly until: number
}

export function breaker(calls: readonly CallSeen[], model: string, now: number): Breaker {
  const done = ended(calls, model)
  let failures = 0
  for (let at = done.length - 1; at >= 0 && done[at]?.outcome === 'failed'; at--) failures++
  const last = done.at(-1)
  if (!last || failures < FAILURES) return { state: 'closed', until: 0 }
  const until = endOf(last) + Math.min(LONGEST_OPEN_MS, OPEN_MS * 2 ** (failures - FAILURES))
  if (now < until) return { state: 'open', until }
  // One at a time: who tries already is waited for, but not for ever.
  const trying = calls.find((call) => call.model === model && call.outcome === 'open' && call.ts >= until && call.ts > now - LONGEST_OPEN_MS)
  return trying ? { state: 'open', until: trying.ts + LONGEST_OPEN_MS } : { state: 'half_open', until: 0 }
}

export interface Latency {
  readonly p50: number
  readonly p95: number
  readonly n: number
}

/** Of the calls that answered; null where none has. */
export function latency(calls: readonly CallSeen[], model: string): Latency | null {
  const times = calls.flatMap((call) => (call.model === model && call.outcome === 'ok' && call.ms !== null ? [call.ms] : [])).toSorted((a, b) => a - b)
  const at = (share: number) => times[Math.max(0, Math.ceil(share * times.length) - 1)] ?? 0
  return times.length === 0 ? null : { p50: at(0.5), p95: at(0.95), n: times.length }
}

function ended(calls: readonly CallSeen[], model: string): CallSeen[] {
  return calls.filter((call) => call.model === model && (call.outcome === 'ok' || call.outcome === 'failed')).toSorted((a, b) => endOf(a) - endOf(b))
}

const endOf = (call: CallSeen): number => call.ts + (call.ms ?? 0)
const sum = (calls: readonly CallSeen[], field: 'tokens' | 'micro_usd'): number => calls.reduce((total, call) => total + call[field], 0)
