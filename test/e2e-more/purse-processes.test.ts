/** Eight runs at once, each its own process and repository, under one cap of 1.00 USD of the policy: what the server may bill stays below it. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { call, makePlace, receiptsOf, vpJson } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'sum', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } })}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(1, 2), 3))\n",
}
/** 10 USD a million tokens in and out: a call of 4,096 may cost 0.04 and more. */
const PRICE = { in_per_1k_usd: 0.01, out_per_1k_usd: 0.01 }
const CAP = 1_000_000

test('eight processes share one cap of $1.00, and spend at most $1.00', async (t) => {
  let billed = 0
  const server = await startScriptedServer((_request, n) => {
    // Never more than the input was counted as: a server that bills more than it was sent is held by no reservation.
    const usage = { in: 300 + (n % 7) * 100, out: 4000 }
    billed += (usage.in + usage.out) * 10
    // It never comes to an end by itself: only the cap stops it.
    return { ...call('write', { path: 'src/add.js', content: `export const add = (a, b) => a - b - ${n}\n` }), usage, delayMs: 20 + (n % 5) * 15 }
  })
  t.after(() => server.close())
  const shared = makePlace(t, FILES)
  const home = shared.env['HOME'] as string
  mkdirSync(join(home, '.config/vp'), { recursive: true })
  writeFileSync(
    join(home, '.config/vp/model-policy.json'),
    JSON.stringify({
      version: '2026-11-29-401',
      default_provider: { provider: 'openai_compatible', model: 'dear', endpoint: server.baseUrl },
      lane_overrides: {},
      cost_optimization: { budget_cap_usd: 1 },
      tiers: {
        'API-Dear': {
          models: [{ provider: 'openai_compatible', model: 'dear', endpoint: server.baseUrl, price: PRICE }],
          max_cost_per_min_usd: 1000,
          max_tokens_per_min: 100_000_000,
          expected_latency_ms: { p50: 1, p95: 2 },
          context_limit_tokens: 100_000,
          tools: ['code-edit'],
          network: 'outbound',
        },
      },
    }),
  )
  writeFileSync(join(home, '.config/vp/config.json'), JSON.stringify({ do_budget_usd: 0.9, do_budget_tokens: 10_000_000 }))
  const { VP_MODEL: _, ...env } = shared.env
  const places = Array.from({ length: 8 }, () => ({ ...makePlace(t, FILES), env, state: shared.state }))
  const ends = await Promise.all(places.map((place) => vpJson(place, ['do', 'make add add'])))
  assert.deepEqual([...new Set(ends.map(({ code }) => code))], [6], JSON.stringify(ends.map(({ doc, stderr }) => doc.error ?? stderr)))
  for (const { doc } of ends) assert.deepEqual([doc.error?.code, doc.error?.next[0]], ['budget.policy', ['vp', 'model', 'set', 'POLICY.json']])
  assert.ok(billed <= CAP && billed > CAP / 2, `the server billed ${billed}`)
  const told = (await receiptsOf(shared)).reduce((sum, receipt) => sum + ((receipt.usage as { cost_micro_usd?: number } | undefined)?.cost_micro_usd ?? 0), 0)
  assert.equal(told, billed, 'the receipts say what was billed')
  const db = new DatabaseSync(join(shared.state, 'ledger.db'), { readOnly: true })
  t.after(() => db.close())
  assert.deepEqual(db.prepare('SELECT * FROM holds').all(), [], 'nothing stays held')
  assert.deepEqual({ ...db.prepare('SELECT * FROM policy_spend').get() }, { policy: '2026-11-29-401', micro_usd: billed })
})
