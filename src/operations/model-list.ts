/** model.list, model.show: which models the policy knows, and everything that is known of one. */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { VpError } from '../core/errors.ts'
import { isoUtc } from '../core/ports.ts'
import { inTier, specOf, staysHere, type ModelSpec } from '../models/choose.ts'
import { isIdleDefault, testsOf, tiersOf } from '../models/policy/load.ts'
import { LOCAL_MODELS, presetOf } from '../models/policy/presets.ts'
import { breaker, health, latency, type CallSeen } from '../models/broker/windows.ts'
import type { PolicyFile, Tier, TierModel } from '../models/policy/schema.ts'
import { PRICES_OF, type Price } from '../models/prices.ts'
import { callsSeen } from './broker/calls.ts'
import { keyOf } from './broker/candidates.ts'
import { knownFacts } from './broker/facts.ts'
import { freshStored, type StoredResult } from './broker/results.ts'
import type { Kit } from './kit.ts'
import { lastMeasuredWindow } from './measured-window.ts'
import { testedShape } from './model-test-shape.ts'
import { policyInForce, type PolicyInForce } from './model-policy.ts'
import { priceOfModel, type PriceFrom } from './model-price.ts'
import { chosenModel } from './models.ts'
import { operation } from './operation.ts'

const price = once(() => z.object({ in_per_million_usd: z.number(), out_per_million_usd: z.number() }))
const row = once(() =>
  z.object({
    model: z.string(),
    price: z.nullable(price()),
    /** What the model was made for and the policy allows; null: nobody said. */
    window_tokens: z.nullable(z.int()),
    tests: z.nullable(z.object({ passed: z.int(), of: z.int() })),
    p50_ms: z.nullable(z.number()),
  }),
)
const listed = once(() =>
  z.object({
    tiers: z.array(z.object({ name: z.string(), models: z.array(row()) })),
    chosen: z.string(),
    source: z.string(),
    policy: z.string(),
    prices_of: z.string(),
  }),
)
export type ModelList = z.infer<ReturnType<typeof listed>>

export const modelList = operation({
  name: 'model.list',
  summary: 'the models at hand by tier, their prices, and the one in force',
  params: () => z.strictObject({}),
  result: () => listed(),
  effect: 'read',
  scope: 'projects.view',
  async handler(_params, { kit }): Promise<ModelList> {
    const { spec: chosen } = chosenModel(kit)
    const inForce = policyInForce(kit)
    // Where the one in force is a tier's too, it is the one that is reached: at its own address.
    const known = knownModels(kit, inForce).map((one) => (one.named.model === chosen.model ? { ...one, spec: chosen } : one))
    const seen = await seenOf(kit, inForce.policy)
    // A default provider that no tier has, and that is never asked, is no model at hand.
    const isIdle = chosen.source === 'policy' && isIdleDefault(inForce.policy)
    const own = isIdle || known.some((one) => keyOf(one.spec) === keyOf(chosen)) ? [] : [await rowOf(kit, chosenAsKnown(chosen), inForce.policy, seen)]
    const rows = [...own, ...(await Promise.all(known.map((one) => rowOf(kit, one, inForce.policy, seen))))]
    const tiers = [...new Set(rows.map((one) => one.tier))].map((name) => ({ name, models: rows.filter((one) => one.tier === name).map((one) => one.row) }))
    return { tiers, chosen: `${chosen.provider}:${chosen.model}`, source: chosen.source, policy: inForce.policy.version, prices_of: PRICES_OF }
  },
})

/** A model as a tier has it, or as a person named it. */
interface KnownModel {
  readonly tier: string
  readonly limits: Tier | null
  readonly named: TierModel
  /** With the key of the environment. */
  readonly spec: ModelSpec
}

function knownModels(kit: Kit, { policy }: PolicyInForce): KnownModel[] {
  const tiers = tiersOf(policy)
  return Object.entries(tiers).flatMap(([tier, limits]) =>
    limits.models.map((named) => ({ tier, limits, named, spec: inTier(specOf(named, tier, kit.env, 'policy'), limits) })),
  )
}

function chosenAsKnown(spec: ModelSpec): KnownModel {
  return { tier: spec.tier, limits: null, named: { provider: spec.provider, model: spec.model, endpoint: spec.baseUrl }, spec }
}

/** What the store knows of all models. */
interface Seen {
  readonly calls: readonly CallSeen[]
  readonly results: readonly StoredResult[]
}

function seenOf(kit: Kit, policy: PolicyFile): Promise<Seen> {
  const now = kit.clock.now()
  return kit.store.read(async (tx) => ({ calls: await callsSeen(tx, now), results: await freshStored(tx, policy, now) }))
}

async function rowOf(kit: Kit, known: KnownModel, policy: PolicyFile, seen: Seen): Promise<{ tier: string; row: z.infer<ReturnType<typeof row>> }> {
  const { price: found } = await priceOfKnown(kit, known)
  const key = keyOf(known.spec)
  const mine = seen.results.filter((one) => one.model === key)
  return {
    tier: known.tier,
    row: {
      model: `${known.named.provider}:${known.named.model}`,
      price: found,
      window_tokens: await windowOf(kit, known),
      tests: mine.length === 0 ? null : { passed: mine.filter((one) => one.passed).length, of: Object.keys(testsOf(policy)).length },
      p50_ms: latency(seen.calls, key)?.p50 ?? known.limits?.expected_latency_ms.p50 ?? null,
    },
  }
}

function priceOfKnown(kit: Kit, { named, spec }: KnownModel): Promise<{ price: Price | null; from: PriceFrom }> {
  return priceOfModel(kit, { ...spec, model: named.model }, named.price)
}

/** As `vp model probe` measured it, else what is said of the model and of its tier. */
async function windowOf(kit: Kit, { limits, named, spec }: KnownModel): Promise<number | null> {
  const own = (await lastMeasuredWindow(kit, spec)) ?? presetOf(named.model)?.window_tokens ?? null
  if (limits === null) return own
  return own === null ? limits.context_limit_tokens : Math.min(own, limits.context_limit_tokens)
}

const shown = once(() =>
  z.object({
    model: z.string(),
    tier: z.string(),
    local: z.boolean(),
    endpoint: z.string(),
    price: z.nullable(price()),
    /** `policy`, `configuration`, `this machine` or the table with its date. */
    price_from: z.string(),
    window_tokens: z.nullable(z.int()),
    preset: z.nullable(
      z.object({
        name: z.string(),
        tag: z.string(),
        aliases: z.array(z.string()),
        window_tokens: z.int(),
        max_output_tokens: z.int(),
        dialect: z.string(),
        download_gb: z.number(),
        vram_gb: z.number(),
        licence: z.string(),
      }),
    ),
    tools: z.array(z.string()),
    limits: z.nullable(
      z.object({
        max_cost_per_min_usd: z.number(),
        max_tokens_per_min: z.int(),
        p50_ms: z.number(),
        p95_ms: z.number(),
        network: z.string(),
        device: z.nullable(z.string()),
      }),
    ),
    /** As the server last said it; null: it has not said any. */
    digest: z.nullable(z.string()),
    health: z.object({ state: z.enum(['ok', 'failed', 'open', 'half_open']), p50_ms: z.nullable(z.number()), p95_ms: z.nullable(z.number()), calls: z.int() }),
    tests: z.array(z.extend(testedShape(), { at: z.string() })),
    policy: z.object({ version: z.string(), file: z.nullable(z.string()), warnings: z.array(z.string()) }),
  }),
)
export type ModelShown = z.infer<ReturnType<typeof shown>>

export const modelShow = operation({
  name: 'model.show',
  summary: 'everything that is known of one model',
  params: () =>
    z.strictObject({
      /** `provider:model`, a model alone, or the name of a preset; absent: the one in force. */
      model: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
    }),
  result: () => shown(),
  effect: 'read',
  scope: 'projects.view',
  async handler({ model }, { kit }): Promise<ModelShown> {
    const inForce = policyInForce(kit)
    const known = findModel(kit, inForce, model)
    const { named, limits, tier, spec } = known
    const { price: found, from } = await priceOfKnown(kit, known)
    const preset = presetOf(named.model)
    const key = keyOf(spec)
    const seen = await seenOf(kit, inForce.policy)
    const facts = await kit.store.read((tx) => knownFacts(tx, key))
    return {
      model: `${named.provider}:${named.model}`,
      tier,
      local: staysHere(spec.endpoint),
      endpoint: spec.endpoint.host,
      price: found,
      price_from: from,
      window_tokens: await windowOf(kit, known),
      preset: preset && {
        name: preset.name,
        tag: preset.tag,
        aliases: [...preset.aliases],
        window_tokens: preset.window_tokens,
        max_output_tokens: preset.max_output_tokens,
        dialect: preset.dialect,
        download_gb: preset.download_gb,
        vram_gb: preset.vram_gb,
        licence: preset.licence,
      },
      tools: [...(limits?.tools ?? preset?.tools ?? [])],
      limits: limits && {
        max_cost_per_min_usd: limits.max_cost_per_min_usd,
        max_tokens_per_min: limits.max_tokens_per_min,
        p50_ms: limits.expected_latency_ms.p50,
        p95_ms: limits.expected_latency_ms.p95,
        network: limits.network,
        device: limits.device ?? null,
      },
      digest: facts?.digest ?? null,
      health: healthOf(seen.calls, key, kit.clock.now()),
      tests: seen.results
        .filter((one) => one.model === key)
        .map(({ at, test, passed, score, evidence, receipts, ms, tokens }) => ({
          test,
          passed,
          score,
          min_score: testsOf(inForce.policy)[test]?.min_score ?? 1,
          evidence: evidence.map((each) => ({ ...each })),
          receipts: [...receipts],
          ms,
          tokens,
          at: isoUtc(at),
        })),
      policy: { version: inForce.policy.version, file: inForce.file, warnings: [...inForce.warnings] },
    }
  },
})

function healthOf(calls: readonly CallSeen[], key: string, now: number): ModelShown['health'] {
  const { state } = breaker(calls, key, now)
  const times = latency(calls, key)
  return { state: state === 'closed' ? health(calls, key, now) : state, p50_ms: times?.p50 ?? null, p95_ms: times?.p95 ?? null, calls: times?.n ?? 0 }
}

/** Throws `model.not_found`. */
export function findModel(kit: Kit, inForce: PolicyInForce, wanted: string | undefined): KnownModel {
  const { spec: chosen } = chosenModel(kit)
  const known = knownModels(kit, inForce)
  // A default provider that is never asked is not the one in force: the first that would be is.
  const asked = chosen.source === 'policy' && isIdleDefault(inForce.policy) ? known[0] : undefined
  const own = known.find((one) => keyOf(one.spec) === keyOf(chosen)) ?? asked ?? chosenAsKnown(chosen)
  if (wanted === undefined) return own
  const preset = presetOf(wanted.replace(/^(ollama|local_llama)[:/]/, ''))
  const isIt = ({ named }: KnownModel) =>
    [`${named.provider}:${named.model}`, `${named.provider}/${named.model}`, named.model].includes(wanted) || (preset !== null && named.model === preset.tag)
  const found = [own, ...known].find(isIt)
  if (found) return found
  if (preset) {
    const named = { provider: 'ollama', model: preset.tag } as const
    return { tier: preset.tier, limits: null, named, spec: specOf(named, preset.tier, kit.env, 'preset') }
  }
  throw new VpError('model.not_found', `no tier of the policy has ${JSON.stringify(wanted.slice(0, 80))}`, {
    why: `presets: ${LOCAL_MODELS.map((one) => one.name).join(', ')}`,
    next: ['vp model list'],
  })
}
