/**
 * The broker: one model for one attempt of one task, by the policy, from what is known now. A model that a person named is
 * not chosen here.
 */
import { VpError } from '../../core/errors.ts'
import { select, type Candidate, type Drop, type Selecting } from '../../models/broker/select.ts'
import { requirementOf, sizeOf, taskKindOf, type TaskShape } from '../../models/broker/task-kind.ts'
import type { ModelSpec } from '../../models/choose.ts'
import type { CallParameters, Provider } from '../../models/contract.ts'
import type { ModelFacts } from '../../models/facts.ts'
import type { MeterOptions } from '../../models/meter.ts'
import { isIdleDefault, requirementsOf } from '../../models/policy/load.ts'
import { laneParameters, parametersOf } from '../../models/policy/parameters.ts'
import type { NamedModel, PolicyFile } from '../../models/policy/schema.ts'
import type { Price } from '../../models/prices.ts'
import type { Kit } from '../kit.ts'
import type { PolicyInForce } from '../model-policy.ts'
import type { Rates } from '../runs/spend-caps.ts'
import { knownNow, type Known, type Way } from './candidates.ts'
import { factsOnce, type SnapshotSource } from './snapshot.ts'

export interface Wanted extends TaskShape {
  /** null: no cap. */
  readonly left: { readonly micro_usd: number | null; readonly tokens: number | null }
  /** The tier of the attempt before, and whether it failed its gate there often enough. */
  readonly before?: { readonly tier: string; readonly escalate: boolean } | undefined
  /** Keys of models that failed in this attempt. */
  readonly tried?: ReadonlySet<string>
}

/** A model that is taken: open, priced, limited. */
export interface Chosen {
  readonly key: string
  readonly provider: Provider
  readonly tier: string
  readonly price: Price | null
  readonly rates: Rates | null
  readonly max_output_tokens?: number | undefined
  readonly source: SnapshotSource
  readonly energy: NonNullable<MeterOptions['energy']>
  readonly by: 'person' | 'lane_override' | 'tier' | 'fallback_chain' | 'default_provider'
  readonly kind: string
  readonly expected_micro_usd: number | null
  readonly dropped: readonly Drop[]
  /** Where gates have failed often enough: why each model of a higher tier is not taken either. */
  readonly not_higher: readonly Drop[]
  readonly tests: Readonly<Record<string, boolean>>
  /** What the lane allows one task. */
  readonly task_cap: { readonly micro_usd?: number; readonly tokens?: number; readonly ms?: number }
}

export interface Broker {
  readonly policy_version: string
  readonly escalateAfter: number
  readonly allowUnknownPrice: boolean
  /** How answers are asked for: outside of tasks, and in lanes where that is not the default. */
  readonly parameters: CallParameters
  readonly lane_parameters: Readonly<Record<string, CallParameters>> | null
  /** Throws `model.no_eligible_tier` with the reason of each tier. */
  choose(wanted: Wanted): Promise<Chosen>
  /** What will be chosen, for a price before; nothing is opened. Throws as `choose`. */
  expect(wanted: Wanted): Promise<Expected>
}

export interface Expected {
  /** `provider:model` */
  readonly name: string
  readonly tier: string
  readonly local: boolean
  readonly price: Price | null
}

export interface BrokerPorts {
  open(spec: ModelSpec, named: NamedModel): Promise<Provider>
}

export function openBroker(kit: Kit, inForce: PolicyInForce, root: string, ports: BrokerPorts): Broker {
  const { policy, file } = inForce
  const isSet = file !== null
  const opened = new Map<string, Opened>()
  const allowUnknownPrice = policy.allow_unknown_price ?? kit.config.allow_unknown_price
  const decide = async (
    wanted: Wanted,
    look: (known: Known) => Known = (known) => known,
  ): Promise<{ known: Known; taken: Taken; dropped: readonly Drop[]; not_higher: readonly Drop[] }> => {
    const known = look(await knownNow(kit, policy, { root, isSet }))
    // Without a policy of their own nobody has said where code may go when what is here fails.
    const mayLeave = !kit.offline && (isSet || (wanted.tried === undefined && wanted.before === undefined))
    const asked = await askedOf(policy, known, wanted, { mayLeave, isSet, allowUnknownPrice })
    const higher = wanted.before?.escalate ? select({ ...asked, above: wanted.before.tier, from: undefined }) : null
    const selection = higher?.kind === 'selected' ? higher : select(asked)
    const mayDefault = policy.on_no_eligible_tier === 'default_provider' && !wanted.tried
    const taken = selection.kind === 'selected' ? selection : mayDefault ? byDefault(asked, await known.candidateFor(policy.default_provider)) : null
    const isUsedUp = known.used_of_policy > 0 && selection.dropped.some(({ short }) => short?.cap === 'micro_usd')
    if (taken === null && isUsedUp && select({ ...asked, left: wanted.left }).kind === 'selected') throw overPolicy(policy, known, selection.dropped)
    if (taken === null) throw noEligibleTier(policy, taskKindOf(wanted), selection.dropped)
    return { known, taken, dropped: selection.dropped, not_higher: higher?.kind === 'no_eligible_tier' ? higher.dropped : [] }
  }
  return {
    policy_version: policy.version,
    escalateAfter: policy.escalate_after_failed_gates ?? 2,
    allowUnknownPrice,
    parameters: parametersOf(policy, null),
    lane_parameters: laneParameters(policy),
    async choose(wanted) {
      const { known, taken, dropped, not_higher } = await decide(wanted)
      const { candidate, by, expected_micro_usd } = taken
      return {
        ...chosenOf(policy, candidate, wanted.lane, await openOnce(opened, known, candidate.key, ports)),
        by,
        kind: taskKindOf(wanted),
        expected_micro_usd,
        dropped,
        not_higher,
      }
    },
    async expect(wanted) {
      const { taken, known } = await decide(wanted, rested)
      const { key, tier, local, price } = taken.candidate
      const { spec } = wayTo(known, key)
      return { name: `${spec.provider}:${spec.model}`, tier, local, price }
    },
  }
}

/** As it will be when its time comes: what this minute has used says nothing of it. */
function rested(known: Known): Known {
  const later = (one: Candidate): Candidate => ({ ...one, used: { tokens: 0, micro_usd: 0 } })
  return {
    ...known,
    tiers: known.tiers.map((tier) => ({ ...tier, models: tier.models.map(later) })),
    candidateFor: async (named) => later(await known.candidateFor(named)),
  }
}

interface Opened {
  readonly provider: Provider
  readonly facts: () => Promise<ModelFacts>
}

/** Once a process; one that could not be opened is tried again next time. */
async function openOnce(opened: Map<string, Opened>, known: Known, key: string, ports: BrokerPorts): Promise<Opened> {
  const before = opened.get(key)
  if (before) return before
  const way = wayTo(known, key)
  const provider = await ports.open(way.spec, way.named)
  const fresh = { provider, facts: factsOnce(provider, way.spec) }
  opened.set(key, opened.get(key) ?? fresh)
  return opened.get(key) ?? fresh
}

function wayTo({ ways }: Known, key: string): Way {
  const way = ways.get(key)
  if (!way) throw new VpError('internal', `no way to ${key}`)
  return way
}

const overrideOf = ({ lane_overrides }: PolicyFile, lane: string | null) => (lane === null ? undefined : lane_overrides[lane as keyof typeof lane_overrides])

async function askedOf(
  policy: PolicyFile,
  known: Known,
  wanted: Wanted,
  rules: { readonly mayLeave: boolean; readonly isSet: boolean; readonly allowUnknownPrice: boolean },
): Promise<Selecting> {
  const kind = taskKindOf(wanted)
  const size = sizeOf(kind)
  const lane = overrideOf(policy, wanted.lane)
  const cap = policy.cost_optimization?.budget_cap_usd
  return {
    requirement: requirementOf(requirementsOf(policy), kind),
    tokens_in: size.request,
    tokens_out: parametersOf(policy, wanted.lane).max_tokens,
    task_tokens: size.task,
    tiers: known.tiers,
    override: lane ? { candidate: await known.candidateFor(lane), constraints: lane.constraints ?? {} } : null,
    fallback: rules.isSet ? await Promise.all((policy.fallback_chain ?? []).map((one) => known.candidateFor(one))) : [],
    prefer_local: policy.cost_optimization?.prefer_local ?? false,
    left:
      cap === undefined
        ? wanted.left
        : { ...wanted.left, micro_usd: Math.min(wanted.left.micro_usd ?? Infinity, Math.max(0, cap * 1e6 - known.used_of_policy)) },
    network: rules.mayLeave ? 'outbound' : 'none',
    allow_unknown_price: rules.allowUnknownPrice,
    from: wanted.before?.tier,
    ...(wanted.tried ? { tried: wanted.tried } : {}),
  }
}

function chosenOf(
  policy: PolicyFile,
  candidate: Candidate,
  laneName: string | null,
  { provider, facts }: Opened,
): Omit<Chosen, 'by' | 'kind' | 'expected_micro_usd' | 'dropped' | 'not_higher'> {
  const { tier, price, limits, tests, max_output_tokens } = candidate
  const cap = policy.cost_optimization?.budget_cap_usd
  const { max_cost_per_task_usd: usd, max_tokens_per_task: tokens, timeout_seconds: seconds } = overrideOf(policy, laneName)?.constraints ?? {}
  return {
    key: candidate.key,
    provider,
    tier,
    price,
    max_output_tokens,
    rates: { tier, ...limits, cap: cap === undefined ? null : { policy: policy.version, micro_usd: Math.round(cap * 1e6) } },
    energy: { device: policy.tiers?.[tier]?.device, settings: policy.energy },
    source: { tier, policy_version: policy.version, capability_results: tests, facts },
    tests,
    task_cap: {
      ...(usd === undefined ? {} : { micro_usd: usd * 1e6 }),
      ...(tokens === undefined ? {} : { tokens }),
      ...(seconds === undefined ? {} : { ms: seconds * 1000 }),
    },
  }
}

interface Taken {
  readonly candidate: Candidate
  readonly by: Chosen['by']
  readonly expected_micro_usd: number | null
}

/** The policy's own word on what happens where nothing has proved that it can; never what cannot be called or paid. */
function byDefault(asked: Selecting, candidate: Candidate): Taken | null {
  const tier = { name: candidate.tier, models: [candidate] }
  const alone = select({ ...asked, requirement: { tools: [], capability_tests: [] }, tiers: [tier], override: null, from: undefined, fallback: [] })
  return alone.kind === 'selected' ? { ...alone, by: 'default_provider' } : null
}

/** Nothing but what was spent of the policy's own cap stands in the way. */
function overPolicy(policy: PolicyFile, { used_of_policy }: Known, dropped: readonly Drop[]): VpError {
  const cap = policy.cost_optimization?.budget_cap_usd ?? 0
  const free = Math.max(0, cap - used_of_policy / 1e6)
  return new VpError('budget.policy', `no tier is within the $${free.toFixed(2)} that is free of the $${cap.toFixed(2)} of the policy`, {
    why: dropped.map(({ tier, model, reason }) => `${tier} ${model} ${reason}`).join('; '),
    next: ['raise cost_optimization.budget_cap_usd with a new version: vp model set POLICY.json'],
    data: { dropped },
  })
}

function noEligibleTier(policy: PolicyFile, kind: string, dropped: readonly Drop[]): VpError {
  const { provider, model: named } = policy.default_provider
  const idle = isIdleDefault(policy) ? [`default_provider ${provider}:${named} is in no tier, so it is not asked`] : []
  const words = [...dropped.map(({ tier, model, reason }) => `${tier} ${model} ${reason}`), ...idle]
  const untested = dropped.find(({ reason }) => reason.startsWith('has not passed'))
  const unpriced = dropped.find(({ reason }) => reason.startsWith('its price is unknown'))
  return new VpError('model.no_eligible_tier', `no tier of the policy may and can do this ${kind.replaceAll('_', ' ')}`, {
    why: words.length === 0 ? 'nothing comes after the tier that failed' : words.join('; '),
    next: [
      ...(untested ? [`vp model test ${untested.model.replace(/@.*/, '')}`] : []),
      ...(unpriced ? [`give ${unpriced.model.replace(/@.*/, '')} a price in the policy, or allow_unknown_price: docs/models.md`] : []),
      'vp model list',
    ],
    data: { kind, dropped },
  })
}
