/** Makes the capability tests with one model and keeps what came of them, by what the model is and what the policy asks. */
import { isVpError, VpError } from '../../core/errors.ts'
import { hex } from '../../core/ids.ts'
import type { ModelFacts } from '../../models/facts.ts'
import type { ModelSpec } from '../../models/choose.ts'
import type { Provider } from '../../models/contract.ts'
import { meteredProvider } from '../../models/meter.ts'
import { testsOf } from '../../models/policy/load.ts'
import type { PolicyFile } from '../../models/policy/schema.ts'
import type { Price } from '../../models/prices.ts'
import { keyOf } from '../broker/candidates.ts'
import { keepFacts } from '../broker/facts.ts'
import type { CapabilityResult } from '../broker/results.ts'
import { factsOnce } from '../broker/snapshot.ts'
import type { Kit } from '../kit.ts'
import type { Masking } from '../masking.ts'
import { meterPorts } from '../runs/spend.ts'
import type { Rates } from '../runs/spend-caps.ts'
import { CASES } from './cases.ts'
import { scoreCase, type Scored } from './score.ts'

export interface ToMeasure {
  readonly spec: ModelSpec
  readonly provider: Provider
  readonly tier: string
  readonly price: Price | null
  readonly rates: Rates | null
  readonly policy: PolicyFile
  /** Of the tier, as in runs. */
  readonly max_output_tokens: number | undefined
  readonly cap_micro_usd: number
  readonly allowUnknownPrice: boolean
  readonly mask: Masking
  /** Before each test, for whoever looks on. */
  onTest?(test: string): void
}

export interface Measured {
  readonly key: string
  readonly facts: ModelFacts
  readonly results: readonly CapabilityResult[]
  readonly spent_micro_usd: number
}

/** Throws `usage.params` for a test that is none, `budget.*`, and what keeps the model from answering at all. */
export async function measureCapabilities(kit: Kit, what: ToMeasure, names: readonly string[], signal: AbortSignal): Promise<Measured> {
  const tests = testsOf(what.policy)
  for (const name of names)
    if (!tests[name] || !CASES[tests[name].prompt_ref])
      throw new VpError('usage.params', `there is no capability test ${JSON.stringify(name.slice(0, 60))}`, {
        why: `tests: ${Object.keys(tests).join(', ')}`,
        next: ['vp model test'],
      })
  const facts = factsOnce(what.provider, what.spec)
  const key = keyOf(what.spec)
  const spent = { micro_usd: 0, tokens: 0 }
  const purse = { kind: 'test', id: hex(kit.random, 8), cap_micro_usd: what.cap_micro_usd, spent } as const
  const { provider, mask, rates, price, tier, max_output_tokens, allowUnknownPrice } = what
  const metered = meteredProvider(
    meterPorts(kit, purse, {
      provider,
      mask,
      rates,
      asker: {},
      project: null,
      source: { tier, policy_version: what.policy.version, capability_results: {}, facts },
    }),
    provider,
    { price, tier, max_output_tokens, allowUnknownPrice },
  )
  const results: CapabilityResult[] = []
  for (const name of names) {
    what.onTest?.(name)
    const startedAt = kit.clock.monotonic()
    const before = spent.tokens
    const scored: Scored[] = []
    for (const [index, one] of (CASES[tests[name]?.prompt_ref ?? ''] ?? []).entries())
      scored.push(
        await scoreCase(kit, one, (request, turn) => metered.answer(request, { task: name, attempt: index + 1, turn }, signal), signal).catch(asEvidence),
      )
    const evidence = scored.flatMap((one) => one.evidence)
    const score = evidence.filter(({ ok }) => ok).length / Math.max(1, evidence.length)
    results.push({
      test: name,
      passed: score >= (tests[name]?.min_score ?? 1),
      score: Math.round(score * 1000) / 1000,
      evidence,
      receipts: scored.flatMap((one) => one.receipts),
      ms: Math.round(kit.clock.monotonic() - startedAt),
      tokens: spent.tokens - before,
    })
  }
  const known = await facts()
  await keepResults(kit, what.policy, key, known, results)
  return { key, facts: known, results, spent_micro_usd: spent.micro_usd }
}

/** An answer that is none is a failed test; a model that cannot be asked has not been tested. */
function asEvidence(thrown: unknown): Scored {
  if (isVpError(thrown) && /^model\.(refused|too_large|truncated)$/.test(thrown.code))
    return { evidence: [{ what: 'it answers', ok: false, saw: `${thrown.code}: ${thrown.message}`.slice(0, 160) }], receipts: [] }
  throw thrown
}

async function keepResults(kit: Kit, policy: PolicyFile, key: string, facts: ModelFacts, results: readonly CapabilityResult[]): Promise<void> {
  await kit.store.transaction(async (tx) => {
    await keepFacts(tx, key, facts, kit.clock.now())
    for (const result of results) {
      const place = [key, facts.digest ?? '', policy.version, result.test]
      // A row of its own for each: its rowid says which of two models with one name was tested last.
      await tx.run('DELETE FROM capability_results WHERE model = ? AND digest = ? AND policy = ? AND test = ?', ...place)
      await tx.run(
        'INSERT INTO capability_results (model, digest, policy, test, body, created_at) VALUES (?, ?, ?, ?, ?, ?)',
        ...place,
        JSON.stringify(result),
        kit.clock.now(),
      )
    }
  })
}
