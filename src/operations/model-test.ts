/** model.test: what a model can do, tried for real in a scratch repository; kept by its digest and the policy's version. */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { staysHere } from '../models/choose.ts'
import { testsOf } from '../models/policy/load.ts'
import { keyOf, ratesOf } from './broker/candidates.ts'
import { changeOf, digestChange, lastDigest } from './broker/digest-change.ts'
import { measureCapabilities } from './capability/measure.ts'
import { findModel } from './model-list.ts'
import { policyInForce } from './model-policy.ts'
import { priceOfModel } from './model-price.ts'
import { openKeyed } from './models.ts'
import { testedShape } from './model-test-shape.ts'
import { operation } from './operation.ts'

const tested = once(() =>
  z.object({
    model: z.string(),
    tier: z.string(),
    digest: z.nullable(z.string()),
    /** Null: the same as in the last call or test, or nobody can say. */
    drift: digestChange(),
    policy: z.string(),
    tests: z.array(testedShape()),
    cost_usd: z.number(),
  }),
)
export type ModelTested = z.infer<ReturnType<typeof tested>>

export const modelTest = operation({
  name: 'model.test',
  summary: 'try what a model can do, in a scratch repository',
  params: () =>
    z.strictObject({
      /** As `model.show` takes it; absent: the one in force. */
      model: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
      tests: z.optional(z.array(z.string().check(z.maxLength(100))).check(z.minLength(1), z.maxLength(32))),
      budget_usd: z.optional(z.number().check(z.nonnegative())),
    }),
  result: () => tested(),
  effect: 'spend',
  scope: 'projects.start',
  // Nothing of a repository is sent, but money may be spent.
  decide: ({ model }, { kit, caller }) => {
    const { spec } = findModel(kit, policyInForce(kit), model)
    return caller.surface === 'cli' || caller.scopes.has('projects.approve') || staysHere(spec.endpoint)
      ? { effect: 'allow', rule: 'scope/projects.start', reason: 'a person typed it, or it costs nothing' }
      : { effect: 'ask', rule: 'global/unapproved-run', reason: 'a test of a model elsewhere costs money that nobody approved' }
  },
  ask: ({ model, budget_usd }, { kit }) => ({
    wants: `test ${findModel(kit, policyInForce(kit), model).named.model}, for at most $${budget_usd ?? kit.config.before_approval_usd}`,
    reaches: 'a scratch repository, and the model; nothing of yours is sent',
    undo: 'not: what it cost',
    fullyUndoable: false,
    maxExtent: 'call',
  }),
  async handler({ model, tests: wanted, budget_usd }, scene): Promise<ModelTested> {
    const { kit, tree, signal } = scene
    const inForce = policyInForce(kit)
    const { named, tier, limits, spec } = findModel(kit, inForce, model)
    const { price } = await priceOfModel(kit, spec, named.price)
    const tests = testsOf(inForce.policy)
    const was = await lastDigest(kit, keyOf(spec))
    const { results, facts, spent_micro_usd } = await measureCapabilities(
      kit,
      {
        spec,
        provider: await openKeyed(scene, spec, named.api_key_command),
        tier,
        price,
        rates: limits && { tier, ...ratesOf(limits), cap: null },
        policy: inForce.policy,
        max_output_tokens: limits?.max_output_tokens,
        cap_micro_usd: Math.round((budget_usd ?? kit.config.before_approval_usd) * 1e6),
        allowUnknownPrice: inForce.policy.allow_unknown_price ?? kit.config.allow_unknown_price,
        mask: tree.masking(),
      },
      wanted ?? Object.keys(tests),
      signal,
    )
    return {
      model: `${named.provider}:${named.model}`,
      tier,
      digest: facts.digest,
      drift: changeOf(was, facts.digest),
      policy: inForce.policy.version,
      tests: results.map((one) => ({
        ...one,
        min_score: tests[one.test]?.min_score ?? 1,
        evidence: one.evidence.map((each) => ({ ...each })),
        receipts: [...one.receipts],
      })),
      cost_usd: spent_micro_usd / 1e6,
    }
  },
  say: (_params, { model, tests }) => `${model} · ${tests.filter((one) => one.passed).length} of ${tests.length} passed`,
})
