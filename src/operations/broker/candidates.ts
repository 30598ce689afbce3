/** The policy's models with all that is known of them now: price, key, yes, health, tests, what the minute has left. */
import { inTier, specOf, staysHere, type ModelSpec } from '../../models/choose.ts'
import type { Barred, Candidate, CandidateTier } from '../../models/broker/select.ts'
import { breaker, health, latency, rollingUse, type CallSeen } from '../../models/broker/windows.ts'
import { DEFAULT_TIERS } from '../../models/policy/default.ts'
import { entryOf, isLocal, tiersOf } from '../../models/policy/load.ts'
import { presetOf } from '../../models/policy/presets.ts'
import type { NamedModel, PolicyFile, Tier, TierModel } from '../../models/policy/schema.ts'
import type { Kit } from '../kit.ts'
import { priceOfModel } from '../model-price.ts'
import { keyringKey } from '../model-key.ts'
import { inProcessFault } from '../in-process.ts'
import { answers } from '../reach.ts'
import { callsSeen, modelKey } from './calls.ts'
import { usedOfPolicy } from '../runs/spend-caps.ts'
import { freshResults } from './results.ts'

export interface Known {
  readonly tiers: readonly CandidateTier[]
  /** By key, for whoever opens one. */
  readonly ways: ReadonlyMap<string, Way>
  readonly calls: readonly CallSeen[]
  /** Micro-USD of the policy's own cap that are spent, or held. */
  readonly used_of_policy: number
  candidateFor(named: TierModel): Promise<Candidate>
}

export interface Way {
  readonly spec: ModelSpec
  readonly named: NamedModel
}

export interface Surroundings {
  readonly root: string
  /** A person set the policy: what it names, they named. */
  readonly isSet: boolean
}

export async function knownNow(kit: Kit, policy: PolicyFile, { root, isSet }: Surroundings): Promise<Known> {
  const now = kit.clock.now()
  const { calls, hosts, results, used_of_policy } = await kit.store.read(async (tx) => ({
    calls: await callsSeen(tx, now),
    hosts: new Set((await tx.all<{ subject: string }>('SELECT subject FROM consents WHERE repository = ?', root)).map((row) => row.subject)),
    results: await freshResults(tx, policy, now),
    used_of_policy: await usedOfPolicy(tx, policy.version),
  }))
  const ways = new Map<string, Way>()
  const reached = new Map<string, Promise<boolean>>()
  const reaches = (baseUrl: string) => {
    const asked = reached.get(baseUrl) ?? answers(baseUrl)
    reached.set(baseUrl, asked)
    return asked
  }
  const candidate = async (tier: string, limits: Tier, named: TierModel): Promise<Candidate> => {
    const spec = inTier(specOf(named, tier, kit.env, 'policy'), limits)
    const key = keyOf(spec)
    ways.set(key, { spec, named })
    const seen = latency(calls, key)
    const own = presetOf(named.model)?.window_tokens ?? Infinity
    const barred = ailing(calls, key, now) ?? (await forbidden(kit, spec, isSet || hosts.has(`model:${spec.endpoint.host}`), { named, reaches }))
    // What cannot be called has no price to look up: the table of prices is large, and most days nothing remote is asked.
    const { price } = barred?.kind === 'forbidden' ? { price: null } : await priceOfModel(kit, spec, named.price)
    return {
      key,
      tier,
      price,
      local: staysHere(spec.endpoint),
      tools: limits.tools,
      window_tokens: Math.min(own, limits.context_limit_tokens),
      max_output_tokens: limits.max_output_tokens,
      p50_ms: seen?.p50 ?? limits.expected_latency_ms.p50,
      p95_ms: seen?.p95 ?? limits.expected_latency_ms.p95,
      tests: results.get(key) ?? {},
      assume_capable: named.assume_capable === true,
      limits: ratesOf(limits),
      used: rollingUse(calls, tier, now),
      barred,
    }
  }
  const tiers = tiersOf(policy)
  return {
    calls,
    used_of_policy,
    ways,
    tiers: await Promise.all(
      Object.entries(tiers).map(async ([name, limits]) => ({ name, models: await Promise.all(limits.models.map((named) => candidate(name, limits, named))) })),
    ),
    candidateFor: (named) => {
      const at = entryOf(policy, named)
      const local = isLocal(named)
      const kind = local ? 'Local-Small' : 'API-Premium'
      // Named by hand outside of the tiers: it is taken at its word.
      return at
        ? candidate(at.tier, at.limits, at.model)
        : candidate(
            kind,
            { ...DEFAULT_TIERS[kind], max_output_tokens: undefined, tools: DEFAULT_TIERS['API-Premium'].tools },
            { ...named, assume_capable: true },
          )
    },
  }
}

export function keyOf(spec: ModelSpec): string {
  return modelKey({ name: spec.provider, model: spec.model, endpoint: spec.endpoint })
}

export function ratesOf(limits: Pick<Tier, 'max_tokens_per_min' | 'max_cost_per_min_usd'>): Candidate['limits'] {
  return { max_tokens_per_min: limits.max_tokens_per_min, max_micro_usd_per_min: Math.round(limits.max_cost_per_min_usd * 1e6) }
}

function ailing(calls: readonly CallSeen[], key: string, now: number): Barred | null {
  const { state, until } = breaker(calls, key, now)
  if (state === 'open') return { kind: 'unhealthy', reason: `has failed again and again, and is tried in ${Math.ceil((until - now) / 1000)} s` }
  return health(calls, key, now) === 'failed' && state === 'closed' ? { kind: 'unhealthy', reason: 'has failed less than 30 s ago' } : null
}

const KEYLESS: ReadonlySet<string> = new Set(['openai_compatible', 'bedrock', 'vertex'])

async function forbidden(
  kit: Kit,
  spec: ModelSpec,
  isAllowed: boolean,
  { named, reaches }: { readonly named: NamedModel; readonly reaches: (baseUrl: string) => Promise<boolean> },
): Promise<Barred | null> {
  const fault = await inProcessFault(kit, spec)
  if (fault) return { kind: 'unhealthy', reason: [fault.message, ...(fault.details.next ?? []).slice(0, 1)].join(': ') }
  if (spec.provider !== 'llama_cpp' && spec.endpoint.loopback && !(await reaches(spec.baseUrl)))
    return { kind: 'unhealthy', reason: `nothing answers at ${spec.endpoint.host}` }
  if (staysHere(spec.endpoint)) return null
  // A gateway of this machine has the vendor's key itself, if it wants one.
  if (
    !spec.endpoint.loopback &&
    spec.apiKey === null &&
    !KEYLESS.has(spec.provider) &&
    named.api_key_command === undefined &&
    (await keyringKey(spec)) === null
  )
    return { kind: 'forbidden', reason: 'has no key: none in the environment, the keyring or a key command' }
  return isAllowed ? null : { kind: 'forbidden', reason: `nobody has agreed to send code of this repository to ${spec.endpoint.host}` }
}
