/** `vp model`: a policy replaces the one before only when it holds, and what is shown is what it says. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makePlace, vp, vpJson } from '../e2e/kit.ts'

const POLICY = {
  version: '2025-11-07-001',
  default_provider: { provider: 'local_llama', model: 'phi4:14b' },
  lane_overrides: {},
  cost_optimization: { budget_cap_usd: 100 },
  mystery: 1,
}

test('a policy file: told, set, kept when the next one does not hold, and undone by a model by name', async (t) => {
  const place = makePlace(t, { 'a.txt': 'a\n' })
  const home = place.env['HOME'] as string
  const active = join(home, '.config/vp/model-policy.json')
  const file = join(place.root, 'policy.json')
  writeFileSync(file, JSON.stringify(POLICY))
  const set = await vp(place, ['model', 'set', file])
  assert.deepEqual([set.code, set.stdout], [0, 'policy 2025-11-07-001\n'])
  assert.match(set.stderr, /mystery: no such field, it has no effect/)
  assert.deepEqual(JSON.parse(readFileSync(active, 'utf8')), POLICY)
  const list = (await vpJson(place, ['model', 'list'])).doc.result
  assert.deepEqual([list?.['chosen'], list?.['source'], list?.['policy']], ['ollama:phi4:14b', 'policy', '2025-11-07-001'])
  for (const broken of [
    { ...POLICY, version: 'soon' },
    { ...POLICY, lane_overrides: { Nowhere: POLICY.default_provider } },
    { ...POLICY, tiers: { A: {} } },
    [],
  ]) {
    writeFileSync(file, JSON.stringify(broken))
    assert.equal((await vp(place, ['model', 'set', file])).code, 2)
    assert.deepEqual(JSON.parse(readFileSync(active, 'utf8')), POLICY, 'the one before stays')
    assert.ok(!existsSync(`${active}.new`))
  }
  assert.equal((await vp(place, ['model', 'set', 'ollama/qwen3-coder:30b'])).code, 0)
  assert.equal((await vpJson(place, ['model', 'list'])).doc.result?.['chosen'], 'ollama:qwen3-coder:30b')
  writeFileSync(file, JSON.stringify({ ...POLICY, version: '2025-11-07-002' }))
  assert.equal((await vp(place, ['model', 'set', file])).code, 0)
  assert.equal((await vpJson(place, ['model', 'list'])).doc.result?.['source'], 'policy', 'what was set last holds')
  const shown = (await vpJson(place, ['model', 'show', 'phi-4'])).doc.result
  assert.deepEqual((shown?.['preset'] as { vram_gb: number } | undefined)?.vram_gb, 12)
  writeFileSync(active, '{ broken')
  assert.deepEqual([(await vp(place, ['model', 'list'])).code, readFileSync(active, 'utf8')], [2, '{ broken'], 'one that cannot be read is not passed over')
})
