/**
 * The model policy file as a schema: the upstream one, which loads unchanged, with tiers, capability tests, task
 * requirements and energy on top. Source: contracts/policy.md section 1. The published JSON Schema is made from this.
 */
import * as z from 'zod/mini'
import { once } from '../../core/once.ts'

/** `local_llama` is upstream's word for `ollama`. */
export const POLICY_PROVIDERS = [
  'anthropic',
  'openai',
  'google',
  'local_llama',
  'ollama',
  'llama_cpp',
  'openai_compatible',
  'bedrock',
  'vertex',
  'azure',
  'mock',
] as const
export type PolicyProvider = (typeof POLICY_PROVIDERS)[number]

export const LANES = ['Code-Impl', 'Code-API-Design', 'Data-Schema', 'Data-Loader', 'Vector-Ops', 'Graph-Ops', 'Narrative'] as const
export const TOOLS = ['code-edit', 'tool-use', 'patch-planning', 'json-mode', 'vision', 'long-context'] as const
export type Tool = (typeof TOOLS)[number]
export const CHECKS = ['valid_unified_diff', 'valid_json', 'tool_call', 'plan_covers_files'] as const

/** Made when a policy is read or written, not with every start of vp. */
function makeSchema() {
  const provider = z.enum(POLICY_PROVIDERS)
  const name = z.string().check(z.minLength(1), z.maxLength(200))
  const url = z.string().check(z.regex(/^https?:\/\/[^\s]+$/), z.maxLength(2000))
  const whole = z.int().check(z.gte(1))
  const amount = z.number().check(z.nonnegative())
  const argv = z.array(z.string().check(z.minLength(1), z.maxLength(4096))).check(z.minLength(1), z.maxLength(32))

  const settings = { temperature: z.optional(z.number().check(z.gte(0), z.lte(2))), max_tokens: z.optional(whole) }
  /** How a place is reached: never a key itself. */
  const reach = {
    endpoint: z.optional(url),
    api_key_command: z.optional(argv),
    region: z.optional(z.string().check(z.regex(/^[a-z0-9-]{1,40}$/))),
    project: z.optional(z.string().check(z.regex(/^[a-z0-9:.-]{1,60}$/))),
  }

  const chosen = z.looseObject({ provider, model: name, ...settings, ...reach })
  const constraints = z.looseObject({
    max_cost_per_task_usd: z.optional(amount),
    /** In and out. */
    max_tokens_per_task: z.optional(whole),
    timeout_seconds: z.optional(z.number().check(z.gte(1))),
  })
  const override = z.looseObject({ provider, model: name, ...settings, ...reach, constraints: z.optional(constraints) })
  const price = z.strictObject({ in_per_1k_usd: amount, out_per_1k_usd: amount, think_per_1k_usd: z.optional(amount) })

  const tierModel = z.strictObject({
    provider,
    model: name,
    ...reach,
    price: z.optional(price),
    /** Stands for a test that was never made or is too old; never for one that failed. */
    assume_capable: z.optional(z.boolean()),
  })

  const tier = z
    .strictObject({
      models: z.array(tierModel).check(z.minLength(1), z.maxLength(32)),
      /** Rolling 60 s. */
      max_cost_per_min_usd: amount,
      max_tokens_per_min: whole,
      expected_latency_ms: z.strictObject({ p50: z.number().check(z.nonnegative()), p95: z.number().check(z.nonnegative()) }),
      context_limit_tokens: whole,
      max_output_tokens: z.optional(whole),
      tools: z.array(z.enum(TOOLS)),
      capabilities: z.optional(z.array(name)),
      network: z.enum(['none', 'outbound']),
      device: z.optional(z.enum(['cpu', 'gpu', 'remote'])),
    })
    .check(z.refine((one) => one.expected_latency_ms.p50 <= one.expected_latency_ms.p95, { error: 'p50 is above p95' }))

  const requirement = z.strictObject({
    tools: z.array(z.enum(TOOLS)),
    min_context_tokens: z.optional(whole),
    capability_tests: z.array(name),
    max_latency_ms: z.optional(z.number().check(z.nonnegative())),
  })

  const capabilityTest = z.strictObject({
    prompt_ref: name,
    check: z.enum(CHECKS),
    min_score: z.number().check(z.gte(0), z.lte(1)),
    ttl_hours: z.number().check(z.gte(0)),
  })

  const energy = z.strictObject({
    profile: z.optional(z.enum(['measured', 'upstream'])),
    /** Carbon of this place's grid; else that of `grid`, else 0.2. */
    grid_kg_per_kwh: z.optional(amount),
    /** ISO 3166 alpha-3 of a country in the grid table, `EU` or `WORLD`. */
    grid: z.optional(z.string().check(z.regex(/^[A-Z]{2,5}$/))),
    remote_kwh_per_1k_tokens: z.optional(amount),
    /** Power of this host by tier, in kW. */
    devices: z.optional(z.record(z.string(), z.strictObject({ cpu_kw: z.optional(amount), gpu_kw: z.optional(amount) }))),
  })

  const policy = z.looseObject({
    $schema: z.optional(z.string()),
    version: z.string().check(z.regex(/^\d{4}-\d{2}-\d{2}-\d{3}$/)),
    default_provider: chosen,
    lane_overrides: z.partialRecord(z.enum(LANES), override),
    fallback_chain: z.optional(z.array(z.looseObject({ provider, model: name, ...reach }))),
    cost_optimization: z.optional(
      z.looseObject({ budget_cap_usd: z.optional(amount), enable_caching: z.optional(z.boolean()), prefer_local: z.optional(z.boolean()) }),
    ),
    tiers: z.optional(
      z.record(z.string().check(z.regex(/^[A-Za-z][\w.-]{0,63}$/)), tier).check(
        z.refine((all) => Object.entries(all).every(([key, one]) => !key.startsWith('Local-') || one.network === 'none'), {
          error: 'a Local- tier has network none',
        }),
      ),
    ),
    capability_tests: z.optional(z.record(name, capabilityTest)),
    task_requirements: z.optional(z.record(name, requirement)),
    energy: z.optional(energy),
    /** Whether a model whose price nobody knows may be called under a budget. Absent: it may not. */
    allow_unknown_price: z.optional(z.boolean()),
    /** Failed gates on one tier before the next one is taken; 0: never. Absent: 2. */
    escalate_after_failed_gates: z.optional(z.int().check(z.gte(0), z.lte(10))),
    /** What happens where no tier is eligible: it fails, or the default provider is taken, and the receipt says so. Absent: it fails. */
    on_no_eligible_tier: z.optional(z.enum(['fail', 'default_provider'])),
  })
  /** What upstream's schema has, by where it stands; other names there are told as warnings, since a newer upstream may have them. */
  const fields: Readonly<Record<string, readonly string[]>> = {
    '': Object.keys(policy.def.shape),
    default_provider: Object.keys(chosen.def.shape),
    lane_overrides: Object.keys(override.def.shape),
    constraints: Object.keys(constraints.def.shape),
  }
  return { policy, fields }
}

const schema = once(makeSchema)
export const policySchema = () => schema().policy
export const knownFields = () => schema().fields

/** What docs/schema/model-policy.schema.json holds. */
export function publishedSchema(): object {
  return { ...z.toJSONSchema(policySchema(), { io: 'input' }), title: 'vp model policy', description: 'vp model set FILE' }
}

export type PolicyFile = z.infer<ReturnType<typeof policySchema>>
export type Tier = NonNullable<PolicyFile['tiers']>[string]
export type TierModel = Tier['models'][number]
export type Requirement = NonNullable<PolicyFile['task_requirements']>[string]
export type CapabilityTest = NonNullable<PolicyFile['capability_tests']>[string]
export type EnergySettings = NonNullable<PolicyFile['energy']>
export type LaneConstraints = NonNullable<NonNullable<PolicyFile['lane_overrides']['Narrative']>['constraints']>
/** A model as any part of a policy names it. */
export type NamedModel = Pick<TierModel, 'provider' | 'model' | 'endpoint' | 'api_key_command' | 'region' | 'project'>
