/** Selection: the contract's vectors, its reasons by name, and what must hold for whatever tiers and tasks there are. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TASK_REQUIREMENTS } from '../policy/default.ts'
import { TOOLS, type Tool } from '../policy/schema.ts'
import { expectedCost, inOrderOfCost, select, type Candidate, type CandidateTier, type Selecting, type Selection } from './select.ts'
import { requirementOf, sizeOf, taskKindOf } from './task-kind.ts'

interface TierVector {
  readonly cost: number
  readonly p50: number
  readonly tools: Tool[]
  readonly ctx: number
  readonly tests: string[]
}
interface Vector {
  readonly id: string
  readonly function: string
  readonly input: { readonly tiers: Record<string, TierVector>; readonly request: { task_kind: string; tokens: number; budget_left_usd: number } }
  readonly expect: string
}
const { vectors } = JSON.parse(readFileSync(new URL('../../../test/vectors/policy.json', import.meta.url), 'utf8')) as { vectors: Vector[] }

const FREE = { in_per_million_usd: 0, out_per_million_usd: 0 }
const candidate = (tier: string, change: Partial<Candidate> = {}): Candidate => ({
  key: `${tier}:m@h`,
  tier,
  price: FREE,
  local: tier.startsWith('Local-'),
  tools: ['code-edit'],
  window_tokens: 32_768,
  p50_ms: 1000,
  p95_ms: 5000,
  tests: {},
  assume_capable: false,
  limits: { max_tokens_per_min: 1e9, max_micro_usd_per_min: 1e12 },
  used: { tokens: 0, micro_usd: 0 },
  barred: null,
  ...change,
})
const tierOf = (...models: Candidate[]): CandidateTier => ({ name: models[0]?.tier ?? '', models })
const asking = (change: Partial<Selecting> = {}): Selecting => ({
  requirement: { tools: ['code-edit'], capability_tests: [] },
  tokens_in: 4000,
  tokens_out: 4096,
  task_tokens: { in: 20_000, out: 2000 },
  tiers: [],
  override: null,
  fallback: [],
  prefer_local: false,
  left: { micro_usd: null, tokens: null },
  network: 'outbound',
  allow_unknown_price: false,
  ...change,
})
const name = (selection: Selection) => (selection.kind === 'selected' ? selection.candidate.tier : selection.kind)
const reasons = (selection: Selection) => selection.dropped.map(({ tier, reason }) => `${tier} ${reason}`)

for (const { id, function: fn, input, expect } of vectors)
  if (fn === 'choose_tier')
    test(`vector ${id}`, () => {
      const { task_kind, tokens, budget_left_usd } = input.request
      const tiers = Object.entries(input.tiers).map(([tier, one]) =>
        tierOf(
          candidate(tier, {
            price: { in_per_million_usd: (one.cost * 1e6) / tokens, out_per_million_usd: 0 },
            tools: one.tools,
            window_tokens: one.ctx,
            p50_ms: one.p50,
            p95_ms: one.p50,
            tests: Object.fromEntries(one.tests.map((test) => [test, true])),
          }),
        ),
      )
      const requirement = requirementOf(TASK_REQUIREMENTS, task_kind)
      const left = { micro_usd: budget_left_usd * 1e6, tokens: null }
      assert.equal(name(select(asking({ requirement, tokens_in: tokens, tokens_out: 0, task_tokens: { in: tokens, out: 0 }, tiers, left }))), expect)
    })

const dear = { in_per_million_usd: 3, out_per_million_usd: 15 }
const premium = candidate('API-Premium', { price: dear, tools: TOOLS, window_tokens: 200_000 })
const dropped: [title: string, candidate: Candidate, change: Partial<Selecting>, reason: RegExp][] = [
  ['a tool', candidate('Local-A'), { requirement: { tools: ['code-edit', 'patch-planning'], capability_tests: [] } }, /lacks patch-planning$/],
  ['a test never made', candidate('Local-A'), { requirement: { tools: [], capability_tests: ['json'] } }, /has not passed the capability test json/],
  [
    'a test that failed, whatever is assumed',
    candidate('Local-A', { tests: { json: false }, assume_capable: true }),
    { requirement: { tools: [], capability_tests: ['json'] } },
    /failed the capability test json/,
  ],
  ['three quarters of the window', candidate('Local-A', { window_tokens: 10_000 }), {}, /8096 tokens are over 75 % of its window of 10000/],
  [
    'a window that the task needs',
    candidate('Local-A'),
    { requirement: { tools: [], capability_tests: [], min_context_tokens: 100_000 } },
    /100000 are needed/,
  ],
  ['latency', candidate('Local-A'), { requirement: { tools: [], capability_tests: [], max_latency_ms: 100 } }, /100 ms are wanted/],
  [
    'tokens a minute',
    candidate('Local-A', { limits: { max_tokens_per_min: 9000, max_micro_usd_per_min: 0 }, used: { tokens: 1000, micro_usd: 0 } }),
    {},
    /1000 of 9000 tokens a minute/,
  ],
  ['money a minute', { ...premium, limits: { max_tokens_per_min: 1e9, max_micro_usd_per_min: 50_000 } }, {}, /\$0.00 of \$0.05 a minute/],
  ['the network', premium, { network: 'none' }, /nothing may leave/],
  ['the budget', premium, { left: { micro_usd: 50_000, tokens: null } }, /would cost \$0.09, \$0.05 is left/],
  ['the tokens that are left', candidate('Local-A'), { left: { micro_usd: null, tokens: 8000 } }, /8000 tokens are left/],
  ['a price nobody knows, under a budget', { ...premium, price: null }, { left: { micro_usd: 1e9, tokens: null } }, /price is unknown/],
  ['what bars it', { ...premium, barred: { kind: 'forbidden', reason: 'has no key' } }, {}, /has no key/],
]
for (const [title, one, change, reason] of dropped)
  test(`dropped for ${title}`, () => {
    const selection = select(asking({ tiers: [tierOf(one)], ...change }))
    assert.equal(selection.kind, 'no_eligible_tier')
    assert.match(reasons(selection).join('\n'), reason)
  })

test('where the budget alone stands in the way, it is said what would do', () => {
  const short = (change: Partial<Selecting>, one = premium) => {
    const selection = select(asking({ tiers: [tierOf(one)], ...change }))
    return selection.kind === 'no_eligible_tier' ? selection.dropped[0]?.short : 'selected'
  }
  const money = short({ left: { micro_usd: 50_000, tokens: null } })
  assert.ok(typeof money === 'object' && money.cap === 'micro_usd')
  assert.equal(short({ left: { micro_usd: money.needs, tokens: null } }), 'selected')
  const tokens = short({ left: { micro_usd: null, tokens: 100 } })
  assert.ok(typeof tokens === 'object' && tokens.cap === 'tokens')
  assert.equal(short({ left: { micro_usd: null, tokens: tokens.needs } }), 'selected')
  assert.equal(short({ left: { micro_usd: 50_000, tokens: null }, network: 'none' }), undefined, 'more money would not help')
  assert.equal(short({ left: { micro_usd: 50_000, tokens: null } }, { ...premium, price: null }), undefined, 'nobody knows')
})

test('a price nobody knows may be called where the policy says so, and counts as the dearest', () => {
  const unknown = candidate('API-X', { price: null, local: false })
  const asked = asking({ tiers: [tierOf(unknown), tierOf(premium)], left: { micro_usd: 1e9, tokens: null }, allow_unknown_price: true })
  assert.deepEqual(
    inOrderOfCost(asked).map((tier) => tier.name),
    ['API-Premium', 'API-X'],
  )
  assert.equal(name(select({ ...asked, tiers: [tierOf(unknown)] })), 'API-X')
})

test('the lane’s own model first, within its constraints; else the tiers, within them too', () => {
  const own = candidate('API-Own', { price: dear, local: false })
  const tiers = [tierOf(candidate('Local-Small', { tools: [] })), tierOf(premium)]
  const override = (max: number) => ({ candidate: own, constraints: { max_cost_per_task_usd: max } })
  const first = select(asking({ tiers, override: override(1) }))
  assert.deepEqual([name(first), first.kind === 'selected' && first.by], ['API-Own', 'lane_override'])
  const none = select(asking({ tiers, override: override(0.01) }))
  assert.equal(none.kind, 'no_eligible_tier')
  assert.match(reasons(none).join('\n'), /API-Own would cost \$0.09, the lane allows \$0.01 a task\nLocal-Small lacks code-edit\nAPI-Premium would cost/)
})

test('prefer_local moves local tiers to the front; without it cost decides, then p50', () => {
  const slow = tierOf(candidate('Local-Slow', { p50_ms: 9000 }))
  const quick = tierOf(candidate('Local-Quick', { p50_ms: 10 }))
  const powered = tierOf(candidate('Local-Powered', { price: { in_per_million_usd: 4, out_per_million_usd: 4 } }))
  const order = (prefer_local: boolean) =>
    inOrderOfCost(asking({ tiers: [tierOf(premium), slow, powered, quick, tierOf(candidate('API-Free', { local: false, p50_ms: 1 }))], prefer_local })).map(
      (one) => one.name,
    )
  assert.deepEqual(order(false), ['API-Free', 'Local-Quick', 'Local-Slow', 'Local-Powered', 'API-Premium'])
  assert.deepEqual(order(true), ['Local-Quick', 'Local-Slow', 'Local-Powered', 'API-Free', 'API-Premium'])
})

test('an escalation takes only what comes after the tier that failed', () => {
  const tiers = [tierOf(candidate('Local-Small')), tierOf(candidate('Local-Medium', { p50_ms: 5000 })), tierOf(premium)]
  assert.equal(name(select(asking({ tiers }))), 'Local-Small')
  assert.equal(name(select(asking({ tiers, above: 'Local-Small' }))), 'Local-Medium')
  assert.equal(name(select(asking({ tiers, above: 'API-Premium' }))), 'no_eligible_tier')
})

test('the fallback chain is asked where something has failed, not where something is not good enough', () => {
  const spare = candidate('API-Spare', { local: false, price: dear })
  const ill = candidate('Local-Small', { barred: { kind: 'unhealthy', reason: 'failed 3 s ago' } })
  const chained = select(asking({ tiers: [tierOf(ill)], fallback: [spare] }))
  assert.deepEqual([name(chained), chained.kind === 'selected' && chained.by], ['API-Spare', 'fallback_chain'])
  assert.equal(name(select(asking({ tiers: [tierOf(candidate('Local-Small', { tools: [] }))], fallback: [spare] }))), 'no_eligible_tier')
  assert.equal(name(select(asking({ tiers: [tierOf(ill)], fallback: [spare], network: 'none' }))), 'no_eligible_tier', 'and never where it may not go')
})

/** A world of tiers from a seed. */
function world(seed: number): Selecting {
  let state = seed >>> 0
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * below)
  }
  const some = <Item>(items: readonly Item[]) => items.filter(() => next(3) > 0)
  const model = (tier: string, n: number): Candidate =>
    candidate(tier, {
      key: `${tier}:${n}`,
      local: next(2) === 0,
      price: next(6) === 0 ? null : { in_per_million_usd: next(4), out_per_million_usd: next(20) },
      tools: some(TOOLS),
      window_tokens: 4096 * (1 + next(40)),
      p50_ms: next(9) * 1000,
      tests: Object.fromEntries(['json', 'unified_diff'].flatMap((test) => (next(3) === 0 ? [] : [[test, next(4) > 0]]))),
      assume_capable: next(4) === 0,
      limits: { max_tokens_per_min: next(60_000), max_micro_usd_per_min: next(200_000) },
      used: { tokens: next(30_000), micro_usd: next(50_000) },
      barred: next(5) === 0 ? { kind: next(2) ? 'unhealthy' : 'forbidden', reason: 'barred' } : null,
    })
  const tiers = ['A', 'B', 'C', 'D'].map((tier) => tierOf(...Array.from({ length: 1 + next(3) }, (_, n) => model(tier, n))))
  return asking({
    tiers,
    requirement: { tools: some(['code-edit', 'tool-use']), capability_tests: some(['json', 'unified_diff']) },
    tokens_in: next(20_000),
    task_tokens: { in: next(60_000), out: next(6000) },
    override: next(3) === 0 ? { candidate: model('O', 0), constraints: next(2) ? { max_cost_per_task_usd: next(3) / 10 } : {} } : null,
    fallback: [model('F', 0), model('F', 1)],
    prefer_local: next(2) === 0,
    left: { micro_usd: next(2) ? null : next(500_000), tokens: next(2) ? null : next(40_000) },
    network: next(3) === 0 ? 'none' : 'outbound',
    allow_unknown_price: next(2) === 0,
  })
}

test('whatever the world: never too dear, never remote where it may not be, never past a cheaper one, and a reason for each', () => {
  let chosen = 0
  for (let seed = 1; seed <= 3000; seed++) {
    const asked = world(seed)
    const selection = select(asked)
    assert.deepEqual(select(asked), selection, 'the same facts, the same answer')
    for (const { reason } of selection.dropped) assert.ok(reason.length > 3)
    if (selection.kind === 'no_eligible_tier') {
      const all = asked.tiers.flatMap((tier) => tier.models.map((one) => one.key))
      assert.deepEqual(
        all.filter((key) => !selection.dropped.some((one) => one.model === key)),
        [],
        'a reason for every model of every tier',
      )
      continue
    }
    chosen++
    const { candidate: one, by } = selection
    const cost = expectedCost(asked, one)
    assert.equal(one.barred, null)
    if (asked.network === 'none') assert.ok(one.local)
    if (asked.left.micro_usd !== null) assert.ok(cost === null ? asked.allow_unknown_price : cost <= asked.left.micro_usd)
    for (const tool of asked.requirement.tools) assert.ok(one.tools.includes(tool))
    for (const proof of asked.requirement.capability_tests) assert.ok(one.tests[proof] ?? one.assume_capable)
    assert.ok(asked.tokens_in + asked.tokens_out <= 0.75 * one.window_tokens)
    if (by !== 'tier') continue
    // Whatever is cheaper was dropped: alone, it is not taken either.
    for (const tier of inOrderOfCost(asked)) {
      if (tier.name === one.tier) break
      assert.equal(
        select({
          ...asked,
          tiers: [tier],
          fallback: [],
          override: null,
          ...(asked.override
            ? { override: { ...asked.override, candidate: { ...asked.override.candidate, barred: { kind: 'forbidden', reason: 'x' } } } }
            : {}),
        }).kind,
        'no_eligible_tier',
        `seed ${seed}`,
      )
    }
  }
  assert.ok(chosen > 500, `${chosen}`)
})

test('what kind a task is', () => {
  const kind = (lane: string, files: number, complexity = 'simple') => taskKindOf({ lane, files, complexity })
  assert.deepEqual(
    [kind('Code-Impl', 0), kind('Code-Impl', 1), kind('Code-Impl', 2), kind('Code-Impl', 1, 'complex')],
    ['single_edit', 'single_edit', 'multi_file_refactor', 'multi_file_refactor'],
  )
  assert.deepEqual([kind('Narrative', 5), kind('Data-Schema', 1), kind('Data-Loader', 3)], ['narrative', 'schema_change', 'schema_change'])
  for (const name of Object.keys(TASK_REQUIREMENTS)) assert.ok(sizeOf(name).task.in >= sizeOf(name).request)
})
