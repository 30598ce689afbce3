/** The broker in whole runs: real servers of several models, one policy; what is chosen, what goes on when one fails, and what is never done. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WIRES } from '../fixtures/model-wires.ts'
import { startVendor } from '../servers/vendors.ts'
import { startScriptedServer, type ScriptedAnswer, type ScriptedServer, type WireRequest } from '../../src/models/scripted-server.ts'
import { registerSumFunctions } from '../../src/store/sums.ts'
import { call, git, makePlace, receiptsOf, turnOf, vp, vpJson, type Place } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'sum', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } })}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(1, 2), 3))\n",
}

/** Reads, writes `body`, submits. */
function mends(request: WireRequest, body = 'a + b'): ScriptedAnswer {
  const steps = [
    call('read', { path: 'src/add.js' }),
    call('write', { path: 'src/add.js', content: `export const add = (a, b) => ${body}\n` }),
    call('submit', { title: 'fix(add): add', summary: 'Adds.' }),
  ]
  return steps[turnOf(request).turn - 1] ?? { text: 'done' }
}

function breakAgain(place: Place): void {
  writeFileSync(join(place.repository, 'src/add.js'), FILES['src/add.js'])
  git(place, 'commit', '-qam', 'broken again')
}

async function serve(t: TestContext, answer: (request: WireRequest, n: number) => ScriptedAnswer): Promise<ScriptedServer> {
  const server = await startScriptedServer(answer)
  t.after(() => server.close())
  return server
}

const LIMITS = {
  max_cost_per_min_usd: 100,
  max_tokens_per_min: 1_000_000,
  expected_latency_ms: { p50: 1000, p95: 9000 },
  context_limit_tokens: 32_768,
  tools: ['code-edit'],
}
const local = (server: ScriptedServer, model: string, change: object = {}) => ({ provider: 'openai_compatible', model, endpoint: server.baseUrl, ...change })

function policyAt(place: Place, change: object): void {
  const file = join(place.env['HOME'] as string, '.config/vp/model-policy.json')
  mkdirSync(dirname(file), { recursive: true })
  const policy = { version: '2026-11-29-101', default_provider: { provider: 'ollama', model: 'qwen2.5-coder:7b' }, lane_overrides: {}, ...change }
  writeFileSync(file, JSON.stringify(policy))
}

const chosen = async (place: Place) =>
  (await receiptsOf(place))
    .filter(({ op }) => op === 'model.select' || op === 'model.switch')
    .map((receipt) => {
      const { tier, model, by, why } = receipt.detail as unknown as { tier: string; model: string; by: string; why?: string }
      return [receipt.op, tier, /:(\w+)@/.exec(model)?.[1], by, ...(why === undefined ? [] : [why.split(':')[0]])].join(' ')
    })

test('the cheapest tier that may: chosen by lane and task, with a receipt; the other is never asked', async (t) => {
  const [small, big] = [await serve(t, (request) => mends(request)), await serve(t, (request) => mends(request))]
  const place = makePlace(t, FILES)
  policyAt(place, {
    tiers: {
      'API-Big': { ...LIMITS, network: 'outbound', models: [local(big, 'big', { price: { in_per_1k_usd: 0.01, out_per_1k_usd: 0.01 } })] },
      'Local-Small': { ...LIMITS, network: 'none', models: [local(small, 'small')] },
    },
  })
  const done = await vpJson(place, ['do', 'make add add'])
  assert.equal(done.code, 0, done.stderr)
  assert.deepEqual(await chosen(place), ['model.select Local-Small small tier'])
  assert.equal(big.requests.length, 0)
  // The lane's own model comes first.
  policyAt(place, {
    lane_overrides: { 'Code-Impl': local(big, 'big', { constraints: { max_tokens_per_task: 200_000 } }) },
    tiers: { 'Local-Small': { ...LIMITS, network: 'none', models: [local(small, 'small')] } },
  })
  breakAgain(place)
  const again = await vp(place, ['do', 'make add add'])
  assert.equal(again.code, 0, again.stderr + again.stdout)
  assert.match((await chosen(place)).at(-1) ?? '', /big lane_override/)
  assert.ok(big.requests.length > 0)
})

test('a model that breaks in the middle: the next one goes on with the same words, and both have receipts', async (t) => {
  const first = await serve(t, (request, n) => (n === 1 ? mends(request) : { fault: 'status', status: 404 }))
  const second = await serve(t, (request) => mends(request))
  const place = makePlace(t, FILES)
  policyAt(place, { tiers: { 'Local-Small': { ...LIMITS, network: 'none', models: [local(first, 'one'), local(second, 'two')] } } })
  const failedBy = performance.now()
  const done = await vp(place, ['do', 'make add add'])
  assert.equal(done.code, 0, done.stderr)
  assert.deepEqual(await chosen(place), ['model.select Local-Small one tier', 'model.switch Local-Small two tier model.not_found'])
  assert.deepEqual(second.requests[0]?.messages, first.requests[1]?.messages, 'the conversation goes on where it was')
  assert.match(done.stderr, /two at 127\.0\.0\.1:\d+ goes on: model\.not_found/)
  // Less than 30 s ago it is not even asked; on a machine that took longer it is asked once, and passes on again.
  const asked = first.requests.length
  breakAgain(place)
  const after = await vp(place, ['do', 'make add add'])
  assert.equal(after.code, 0)
  const tookMs = performance.now() - failedBy
  if (first.requests.length === asked) assert.match(after.stderr, /two at 127\.0\.0\.1:\d+ is taken: openai_compatible:one@\S+ has failed/)
  assert.ok(tookMs < 29_000 ? first.requests.length === asked : first.requests.length <= asked + 1, `${first.requests.length - asked} after ${tookMs} ms`)
})

test('temperature and length of the lane go out, are in receipts and snapshot, and hold for resume, replay and fork whatever the policy says then', async (t) => {
  let isDown = true
  const server = await serve(t, (request, n) => (isDown && n === 2 ? { fault: 'status', status: 400 } : mends(request)))
  const place = makePlace(t, FILES)
  const tiers = { 'Local-Small': { ...LIMITS, network: 'none', models: [local(server, 'small')] } }
  policyAt(place, { tiers, default_provider: local(server, 'small', { temperature: 0.3, max_tokens: 1234 }) })
  assert.notEqual((await vp(place, ['do', 'make add add'])).code, 0)
  isDown = false
  policyAt(place, { tiers, version: '2026-11-29-102' })
  const resumed = await vpJson(place, ['resume'])
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.deepEqual(
    server.requests.map(({ temperature, max_tokens }) => [temperature, max_tokens]),
    server.requests.map(() => [0.3, 1234]),
  )
  assert.equal(server.requests.length, 4, 'what was answered before the pause is not asked again')
  const calls = (await receiptsOf(place)).filter(({ op, outcome }) => op === 'model.call' && outcome === 'ok')
  for (const { detail } of calls) {
    const { temperature, max_tokens, snapshot } = detail as unknown as { temperature: number; max_tokens: number; snapshot: typeof detail & object }
    assert.deepEqual([temperature, max_tokens], [0.3, 1234])
    assert.deepEqual(snapshot, { ...snapshot, temperature: 0.3, max_tokens: 1234 })
  }
  const run = String(resumed.doc.result?.['run_id'])
  assert.equal((await vpJson(place, ['replay', run])).doc.result?.['equal'], true)
  const fork = await vpJson(place, ['replay', run, '--from', '3', '--tier', 'Local-Small'])
  assert.equal(fork.code, 0, fork.stderr)
  assert.deepEqual([server.requests.length, server.requests[4]?.temperature], [5, 0.3], 'a fork asks as its run did')
  // The next run goes by the policy as it is now.
  breakAgain(place)
  assert.equal((await vp(place, ['do', 'make add add'])).code, 0)
  assert.deepEqual([server.requests[5]?.temperature, server.requests[5]?.max_tokens], [0, 4096])
})

test('max_output_tokens of a tier is sent and held where a lane asks for more, and a replay or a fork to another tier asks as the run did', async (t) => {
  const server = await serve(t, (request) => mends(request))
  const place = makePlace(t, FILES)
  const tier = (most: number) => ({ ...LIMITS, network: 'none', max_output_tokens: most, models: [local(server, 'small')] })
  // 8,500 tokens a minute have room for a first request of 4,000 and an answer of 700, not for one of 5,000.
  policyAt(place, {
    tiers: { 'Local-Small': { ...tier(700), max_tokens_per_min: 8500 }, 'Local-Medium': tier(600) },
    default_provider: local(server, 'small', { max_tokens: 5000 }),
  })
  assert.equal((await vp(place, ['do', 'make add add'])).code, 0)
  assert.deepEqual(new Set(server.requests.map(({ max_tokens }) => max_tokens)), new Set([700]))
  const calls = (await receiptsOf(place)).filter(({ op, outcome }) => op === 'model.call' && outcome === 'ok')
  assert.ok(calls.length > 0)
  for (const { detail } of calls) {
    const { max_tokens, snapshot } = detail as unknown as { max_tokens: number; snapshot: { max_tokens: number } }
    assert.deepEqual([max_tokens, snapshot.max_tokens], [700, 700])
  }
  const run = String((await vpJson(place, ['status'])).doc.result?.['run_id'])
  assert.equal((await vpJson(place, ['replay', run])).doc.result?.['equal'], true)
  const before = server.requests.length
  const fork = await vpJson(place, ['replay', run, '--from', '2', '--tier', 'Local-Medium'])
  assert.equal(fork.code, 0, fork.stderr)
  assert.deepEqual(new Set(server.requests.slice(before).map(({ max_tokens }) => max_tokens)), new Set([600]))
})

test('enable_caching is what the policy says, true where it says nothing', async (t) => {
  const server = await startVendor('anthropic', 'k-0123456789', () => ({ text: 'no', usage: { in: 9, out: 1, think: 0, cached: 0 } }))
  t.after(() => server.close())
  const place = makePlace(t, FILES, undefined, { ANTHROPIC_API_KEY: 'k-0123456789' })
  const model = { provider: 'anthropic', model: WIRES.anthropic.model, endpoint: `${server.url}/v1` }
  for (const [n, cost_optimization] of [{}, { enable_caching: false }].entries()) {
    policyAt(place, { version: `2026-11-29-10${n}`, default_provider: model, cost_optimization })
    await vp(place, ['do', `make add add ${n}`])
  }
  const marked = server.came.filter(({ path }) => path === '/v1/messages').map(({ body }) => body.includes('"cache_control"'))
  assert.ok(marked.length > 2 && marked.includes(true) && marked.includes(false), String(marked))
  assert.equal(marked.lastIndexOf(true) + 1, marked.indexOf(false), `those of the first run, and no others: ${marked.join()}`)
  const calls = (await receiptsOf(place)).filter(({ op, outcome }) => op === 'model.call' && outcome === 'ok')
  assert.deepEqual(
    calls.map(({ detail }) => (detail as { caching?: boolean }).caching === true),
    marked,
  )
})

test('planning has a kind of its own, and an estimate prices each task with the model that it would get', async (t) => {
  const plan = {
    tasks: [
      { title: 'Make add add', files: ['src/add.js'] },
      { title: 'Say how in the docs', lane: 'Narrative', files: ['README.md'] },
    ],
  }
  const thinks = await serve(t, (_request, n) => ({ text: JSON.stringify(n === 1 ? { questions: [] } : plan) }))
  const small = await serve(t, () => ({ text: 'no plan' }))
  const price = { in_per_1k_usd: 0.01, out_per_1k_usd: 0.05 }
  const place = makePlace(t, { ...FILES, 'PRD.md': '# Sums\n\nMake add add, and say how in the docs.\n' })
  policyAt(place, {
    default_provider: local(small, 'small', { temperature: 0.2 }),
    lane_overrides: { Narrative: local(thinks, 'thinks', { price }) },
    tiers: {
      'Local-Small': { ...LIMITS, network: 'none', models: [local(small, 'small')] },
      'API-Big': { ...LIMITS, network: 'outbound', models: [local(thinks, 'thinks', { price, assume_capable: true })] },
    },
  })
  assert.equal((await vp(place, ['new', '--name', 'sums'])).code, 0)
  const planned = await vp(place, ['plan', '--from-prd', 'PRD.md', '--no-input'])
  assert.equal(planned.code, 0, planned.stderr)
  assert.equal(small.requests.length, 0, 'it has not passed multi_file_plan')
  assert.match(planned.stderr, /^note {2}thinks at 127\.0\.0\.1:\d+ is taken: openai_compatible:small@\S+ has not passed the capability test json$/m)
  assert.deepEqual(
    thinks.requests.map(({ temperature }) => temperature),
    [0.2, 0.2],
  )
  assert.deepEqual(await chosen(place), ['model.select API-Big thinks tier openai_compatible'])
  // A minute that is full now says nothing of the one in which the task is done.
  const db = new DatabaseSync(join(place.state, 'ledger.db'))
  registerSumFunctions(db)
  db.prepare("INSERT INTO model_calls (id, tier, model, ts, tokens, micro_usd, ms, outcome) VALUES ('full', 'Local-Small', 'x', ?, 999000, 0, 1, 'ok')").run(
    Date.now(),
  )
  db.close()
  const estimated = await vpJson(place, ['estimate'])
  assert.equal(estimated.code, 0, estimated.stderr)
  const { provider, price_known, lanes } = estimated.doc.result as unknown as {
    provider: string
    price_known: boolean
    lanes: { lane: string; cost_usd: { mean: number } }[]
  }
  assert.deepEqual([provider, price_known], ['openai_compatible:small, openai_compatible:thinks', true])
  const cost = (lane: string) => lanes.find((one) => one.lane === lane)?.cost_usd.mean ?? -1
  assert.ok(cost('Code-Impl') === 0 && cost('Narrative') > 0, JSON.stringify(lanes))
  // Where nothing has proved that it can plan, nothing is asked.
  policyAt(place, { tiers: { 'Local-Small': { ...LIMITS, network: 'none', models: [local(small, 'small')] } }, version: '2026-11-29-103' })
  const refused = await vpJson(place, ['plan', '--from-prd', 'PRD.md'])
  assert.deepEqual([refused.code, refused.doc.error?.code, small.requests.length], [8, 'model.no_eligible_tier', 0])
  assert.match(JSON.stringify(refused.doc.error), /this planning.*has not passed the capability test json/)
})

test('a gate that failed twice brings the next tier, once; one that failed once does not', async (t) => {
  const weak = await serve(t, (request) => mends(request, 'a * b'))
  const strong = await serve(t, (request) => mends(request))
  const place = makePlace(t, FILES)
  const tiers = {
    'Local-Small': { ...LIMITS, network: 'none', models: [local(weak, 'weak')] },
    'Local-Medium': { ...LIMITS, expected_latency_ms: { p50: 5000, p95: 9000 }, network: 'none', models: [local(strong, 'strong')] },
  }
  policyAt(place, { tiers })
  const done = await vp(place, ['do', 'make add add'])
  assert.equal(done.code, 0, done.stderr)
  assert.deepEqual(await chosen(place), [
    'model.select Local-Small weak tier',
    'model.select Local-Small weak tier',
    'model.select Local-Medium strong tier Local-Small failed its gates',
  ])
  assert.match(done.stderr, /strong at 127\.0\.0\.1:\d+ is taken: Local-Small failed its gates/)
})

test('nothing may and can: an error with the reason of each tier, nothing is asked, nothing falls back', async (t) => {
  const small = await serve(t, (request) => mends(request))
  const spare = await serve(t, (request) => mends(request))
  const place = makePlace(t, FILES)
  policyAt(place, {
    tiers: {
      'Local-Small': { ...LIMITS, network: 'none', models: [local(small, 'small')] },
      'API-Premium': { ...LIMITS, network: 'outbound', models: [{ provider: 'anthropic', model: 'claude-sonnet-4-5' }] },
    },
    task_requirements: { single_edit: { tools: ['code-edit'], capability_tests: ['unified_diff'] } },
    fallback_chain: [local(spare, 'spare')],
  })
  const { code, doc } = await vpJson(place, ['do', 'make add add'])
  assert.deepEqual([code, doc.error?.code], [8, 'model.no_eligible_tier'])
  const why = JSON.stringify(doc.error)
  assert.match(why, /Local-Small .*small@.* has not passed the capability test unified_diff/)
  assert.match(why, /default_provider ollama:qwen2\.5-coder:7b is in no tier, so it is not asked/)
  assert.match(why, /API-Premium anthropic:claude-sonnet-4-5@api.anthropic.com has not passed/)
  assert.deepEqual(doc.error?.next[0], ['vp', 'model', 'test', 'openai_compatible:small'])
  assert.equal(small.requests.length + spare.requests.length, 0)
})

test('a call that never fits into its tier’s minute is refused', async (t) => {
  const server = await serve(t, (request) => mends(request))
  const place = makePlace(t, FILES)
  policyAt(place, { tiers: { 'Local-Small': { ...LIMITS, max_tokens_per_min: 8500, network: 'none', models: [local(server, 'small')] } } })
  const done = await vpJson(place, ['do', 'a goal of many words '.repeat(900)])
  assert.deepEqual(done.code === 0 ? 'done' : JSON.stringify(done.doc.error ?? done.doc.result).match(/limit\.reached|no_eligible_tier/)?.[0], 'limit.reached')
})

test('a tier that the run’s budget forbids: the way on is a larger one, and with it the run goes on', async (t) => {
  const server = await serve(t, (request) => mends(request))
  const place = makePlace(t, FILES)
  const big = local(server, 'big', { price: { in_per_1k_usd: 0.003, out_per_1k_usd: 0.015 } })
  policyAt(place, { tiers: { 'API-Premium': { ...LIMITS, network: 'outbound', models: [big] } } })
  const paused = await vpJson(place, ['do', 'make add add', '--budget-usd', '0.01'])
  assert.deepEqual([paused.code, paused.doc.error?.code, server.requests.length], [8, 'model.no_eligible_tier', 0])
  const [raise] = (paused.doc.error as { next?: string[][] } | undefined)?.next ?? []
  assert.deepEqual([raise?.slice(0, 2), raise?.at(-2)], [['vp', 'resume'], '--budget-usd'])
  assert.equal((await vp(place, raise?.slice(1) ?? [])).code, 0)
})

test('a lane names a model of a tier: address and price are the tier’s, and where the cap of the policy is used up the free one goes on', async (t) => {
  const [dear, free] = await Promise.all([
    serve(t, (request) => ({ ...(mends(request) as object), usage: { in: 20_000, out: 100 } })),
    serve(t, (request) => mends(request)),
  ])
  const place = makePlace(t, FILES)
  policyAt(place, {
    cost_optimization: { budget_cap_usd: 0.6 },
    lane_overrides: { 'Code-Impl': { provider: 'openai_compatible', model: 'dear' } },
    tiers: {
      'Local-Small': { ...LIMITS, network: 'none', models: [local(free, 'free')] },
      'API-Premium': { ...LIMITS, network: 'outbound', models: [local(dear, 'dear', { price: { in_per_1k_usd: 0.01, out_per_1k_usd: 0.01 } })] },
    },
  })
  const first = await vpJson(place, ['do', 'make add add', '--budget-usd', '5'])
  assert.equal(first.code, 0, JSON.stringify(first.doc))
  const asked = dear.requests.length
  assert.ok(asked > 0 && Number(first.doc.result?.['cost_usd']) > 0.35, JSON.stringify(first.doc.result))
  git(place, 'reset', '-q', '--hard', 'HEAD~2')
  const second = await vpJson(place, ['do', 'make add add', '--budget-usd', '5'])
  assert.equal(second.code, 0, JSON.stringify(second.doc))
  assert.deepEqual([dear.requests.length, free.requests.length > 0], [asked, true])
})

test('an unknown price under a budget: not asked, and what to write is said', async (t) => {
  const place = makePlace(t, FILES)
  const far = { provider: 'openai_compatible', model: 'far', endpoint: 'http://192.0.2.1:9/v1' }
  policyAt(place, { cost_optimization: { budget_cap_usd: 1 }, tiers: { API: { ...LIMITS, network: 'outbound', models: [far] } } })
  const { code, stderr } = await vp(place, ['do', 'make add add'])
  assert.equal(code, 8)
  assert.match(stderr, /far@\S+ its price is unknown, and there is a budget/)
  assert.match(stderr, /give openai_compatible:far a price in the policy, or allow_unknown_price: docs\/models\.md/)
})

test('a vendor behind a gateway of this machine costs what it costs, and the cap holds', async (t) => {
  const gateway = await serve(t, (request) => ({ ...mends(request), usage: { in: 400, out: 20 } }))
  const place = makePlace(t, FILES, undefined, { OPENAI_API_KEY: `sk-${'a'.repeat(40)}` })
  const tiers = { API: { ...LIMITS, network: 'outbound', device: 'remote', models: [{ provider: 'openai', model: 'gpt-4o', endpoint: gateway.baseUrl }] } }
  policyAt(place, { cost_optimization: { budget_cap_usd: 0.01 }, tiers })
  const { code, doc } = await vpJson(place, ['do', 'make add add'])
  assert.deepEqual([code, doc.error?.code], [8, 'model.no_eligible_tier'])
  assert.match(JSON.stringify(doc.error), /gpt-4o@127\.0\.0\.1:\d+ would cost \$0\.\d+, \$0\.01 is left/)
  policyAt(place, { cost_optimization: { budget_cap_usd: 1 }, tiers })
  const offline = await vpJson(place, ['do', 'make add add', '--offline'])
  assert.deepEqual([offline.doc.error?.code, gateway.requests.length], ['model.no_eligible_tier', 0])
  assert.match(JSON.stringify(offline.doc.error), /nothing may leave it/)
  const done = await vpJson(place, ['do', 'make add add'])
  assert.equal(done.code, 0, JSON.stringify(done.doc))
  assert.ok(Number(done.doc.result?.['cost_usd']) > 0, JSON.stringify(done.doc.result))
  const receipts = await receiptsOf(place)
  assert.ok(
    receipts.some(({ op }) => op === 'model.consent'),
    'code left this machine',
  )
})

test('an escalation that the budget forbids: the small one goes on, and the screen and the receipt say why', async (t) => {
  const small = await serve(t, (request) => mends(request, 'a * b'))
  const big = await serve(t, (request) => mends(request))
  const place = makePlace(t, FILES)
  policyAt(place, {
    tiers: {
      'Local-Small': { ...LIMITS, network: 'none', models: [local(small, 'small')] },
      'API-Premium': { ...LIMITS, network: 'outbound', models: [local(big, 'big', { price: { in_per_1k_usd: 0.01, out_per_1k_usd: 0.03 } })] },
    },
  })
  const done = await vp(place, ['do', 'make add add', '--budget-usd', '0.01'])
  assert.equal(big.requests.length, 0)
  const why = /Local-Small failed its gates, and API-Premium openai_compatible:big@127\.0\.0\.1:\d+ would cost \$0\.\d+, \$0\.01 is left/
  assert.match(done.stderr, why)
  const last = (await receiptsOf(place)).findLast(({ op }) => op === 'model.select')
  const detail = last?.detail as unknown as { why: string; dropped: { tier: string }[] } | undefined
  assert.match(detail?.why ?? '', why)
  assert.deepEqual(
    detail?.dropped.map(({ tier }) => tier),
    ['API-Premium'],
  )
})

test('once there is a run, what no tier may answer has its reasons on every surface', async (t) => {
  const place = makePlace(t, FILES, undefined, { OPENAI_API_KEY: `sk-${'a'.repeat(48)}` })
  policyAt(place, { tiers: { 'API-X': { ...LIMITS, network: 'outbound', models: [{ provider: 'openai', model: 'gpt-nonsense-9' }] } } })
  const { code, doc } = await vpJson(place, ['do', 'make add add'])
  const why = /API-X openai:gpt-nonsense-9@api\.openai\.com its price is unknown, and there is a budget/
  assert.deepEqual([code, doc.error?.code], [8, 'model.no_eligible_tier'])
  assert.match(doc.error?.message ?? '', why)
  assert.match((await vp(place, ['logs'])).stdout, why)
  assert.match((await vp(place, ['status'])).stdout, why)
  const refused = (await receiptsOf(place)).find(({ op, outcome }) => op === 'model.select' && outcome === 'refused')
  assert.match(JSON.stringify(refused?.detail), /"dropped":\[\{[^\]]*its price is unknown/)
})

test('Ctrl-C while a key command hangs ends it at once, as cancelled', async (t) => {
  const server = await serve(t, (request) => mends(request))
  const place = makePlace(t, FILES)
  const script = join(place.root, 'key.sh')
  writeFileSync(script, '#!/bin/sh\ntouch "$0.began"\nsleep 60\n', { mode: 0o755 })
  const price = { in_per_1k_usd: 0.01, out_per_1k_usd: 0.03 }
  policyAt(place, { tiers: { 'API-Premium': { ...LIMITS, network: 'outbound', models: [local(server, 'big', { price, api_key_command: [script] })] } } })
  let stopped = 0
  const done = await vp(place, ['do', 'make add add'], {
    onSpawn: (child) =>
      void (async () => {
        for (let waited = 0; waited < 300 && !existsSync(`${script}.began`); waited++) await sleep(50)
        stopped = performance.now()
        child.kill('SIGINT')
      })(),
  })
  assert.equal(done.code, 130, done.stderr)
  assert.ok(performance.now() - stopped < 5000, `${performance.now() - stopped} ms`)
})

test('the time of a lane cuts a call that is open, and the run ends as a limit does', async (t) => {
  const slow = await serve(t, () => ({ fault: 'silence' }))
  const place = makePlace(t, FILES)
  policyAt(place, {
    lane_overrides: { 'Code-Impl': local(slow, 'slow', { constraints: { timeout_seconds: 2 } }) },
    tiers: { 'Local-Small': { ...LIMITS, network: 'none', models: [local(slow, 'slow')] } },
  })
  const began = performance.now()
  const { code, doc } = await vpJson(place, ['do', 'make add add'])
  assert.ok(performance.now() - began < 15_000)
  assert.deepEqual([code, doc.error?.code, slow.requests.length], [6, 'limit.reached', 1], JSON.stringify(doc.error))
  assert.match(doc.error?.message ?? '', /the lane allows 2 s a task/)
  const call = (await receiptsOf(place)).find(({ op }) => op === 'model.call')
  assert.deepEqual([call?.outcome, (call as unknown as { error?: { code: string } }).error?.code], ['error', 'limit.reached'])
})
