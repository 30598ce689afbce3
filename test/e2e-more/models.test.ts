/** `vp model`: a policy replaces the one before only when it holds, and what is shown is what it says. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makePlace, vp, vpJson } from '../e2e/kit.ts'
import { startOllama } from '../servers/ollama.ts'

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
  assert.match((await vp(place, ['model', 'list'])).stderr, /no other takes its place: mend it, or delete it/)
  assert.deepEqual([(await vp(place, ['model', 'list'])).code, readFileSync(active, 'utf8')], [2, '{ broken'], 'one that cannot be read is not passed over')
})

test('a default provider that no tier has and nobody asks is no row of the list, and not the model that is shown', async (t) => {
  const place = makePlace(t, { 'a.txt': 'a\n' })
  const file = join(place.root, 'policy.json')
  const limits = { max_cost_per_min_usd: 0, max_tokens_per_min: 1000, expected_latency_ms: { p50: 1, p95: 9 }, context_limit_tokens: 4096 }
  const tiers = { 'Local-Medium': { ...limits, models: [{ provider: 'ollama', model: 'qwen3-coder:30b' }], tools: ['code-edit'], network: 'none' } }
  writeFileSync(file, JSON.stringify({ ...POLICY, tiers }))
  assert.equal((await vp(place, ['model', 'set', file])).code, 0)
  const listed = (await vpJson(place, ['model', 'list'])).doc.result?.['tiers'] as unknown as { name: string; models: { model: string }[] }[]
  assert.deepEqual(
    listed.map(({ name, models }) => [name, models.map(({ model }) => model)]),
    [['Local-Medium', ['ollama:qwen3-coder:30b']]],
  )
  assert.equal((await vpJson(place, ['model', 'show'])).doc.result?.['model'], 'ollama:qwen3-coder:30b')
})

test('a long name of a model keeps the list within 80 columns where the name itself does', async (t) => {
  const place = makePlace(t, { 'a.txt': 'a\n' })
  const name = 'openai_compatible:Qwen/Qwen2.5-Coder-32B-Instruct-GPTQ-Int4'
  assert.equal((await vp(place, ['model', 'set', name])).code, 0)
  const lines = (await vp(place, ['model', 'list'])).stdout.split('\n')
  assert.deepEqual(
    lines.filter((line) => line.length > 80 && !line.startsWith('policy ')),
    [],
  )
  const at = lines.findIndex((line) => line.endsWith(name))
  assert.match(lines[at + 1] ?? '', /^ +0 +(\d|unknown)/, 'its figures stand below it')
})

test('a policy that names hosts: setting it is the yes, and says so', async (t) => {
  const place = makePlace(t, { 'a.txt': 'a\n' })
  const file = join(place.root, 'policy.json')
  writeFileSync(file, JSON.stringify({ ...POLICY, fallback_chain: [{ provider: 'anthropic', model: 'claude-sonnet-4-5' }] }))
  const set = await vp(place, ['model', 'set', file])
  assert.match(set.stderr, /note {2}this is your yes to sending what tasks need of your repositories to api\.anthropic\.com/)
  const { doc } = await vpJson(place, ['model', 'set', file])
  assert.deepEqual(doc.result?.['hosts'], ['api.anthropic.com'])
})

test('a file that is no policy: told by what is wrong with it, and never quoted', async (t) => {
  const place = makePlace(t, { 'a.txt': 'a\n' })
  const file = join(place.root, 'policy.json')
  const tier = { models: [{ provider: 'ollama', model: 'x' }], max_cost_per_min_usd: 0, max_tokens_per_min: 1000 }
  const rest = { expected_latency_ms: { p50: 1, p95: 9 }, context_limit_tokens: 4096, tools: ['code-edit'], network: 'none' }
  for (const [text, words] of [
    ['{ "key": letmein-please', / is not JSON/],
    [JSON.stringify({ ...POLICY, tiers: { A: { ...tier, ...rest, colour: 'red' } } }), /tiers\.A\.colour: no such field/],
    [JSON.stringify({ ...POLICY, tiers: { A: { ...tier, ...rest, network: 'maybe' } } }), /tiers\.A\.network: must be one of "none", "outbound"/],
    ['{}', / version: is missing, must be a string/],
  ] as const) {
    writeFileSync(file, text)
    const { code, stderr } = await vp(place, ['model', 'set', file])
    assert.equal(code, 2)
    assert.match(stderr, words)
    assert.match(stderr, /where: .*policy\.json:1$/m)
    assert.match(stderr, /the policy before it stays in force/)
    assert.doesNotMatch(stderr, /letmein/)
  }
  assert.match((await vp(place, ['model', 'set', join(place.root, 'none.json')])).stderr, /none\.json is not there/)
  assert.match((await vp(place, ['model', 'set', 'gpt'])).stderr, /a model is named PROVIDER:MODEL, not "gpt"/)
})

test('a model that a person named is the one that is listed, shown and tested, wherever a tier has its name too', async (t) => {
  const server = await startOllama({ models: [{ name: 'qwen2.5-coder:7b' }] })
  t.after(() => server.close())
  const place = makePlace(t, { 'a.txt': 'a\n' })
  assert.equal((await vp(place, ['model', 'set', 'ollama:qwen2.5-coder:7b', '--base-url', server.url])).code, 0)
  const { stdout } = await vp(place, ['model', 'list'])
  assert.match(stdout, /ollama:qwen2\.5-coder:7b \(configuration\) is used/)
  assert.doesNotMatch(stdout, /the cheapest that passed is used/)
  assert.equal((await vpJson(place, ['model', 'show'])).doc.result?.['endpoint'], new URL(server.url).host)
  const tested = await vpJson(place, ['model', 'test', '--test', 'json'])
  assert.deepEqual([tested.code, server.chats.length > 0], [3, true], JSON.stringify(tested.doc))
})

test('where the configuration or the models cannot be written, the path is named and the way out', async (t) => {
  const place = makePlace(t, { 'README.md': 'x\n' })
  for (const [args, env] of [
    [['model', 'set', 'ollama:phi4:14b'], { VP_CONFIG: '/proc/nope/config.json' }],
    [['model', 'pull', 'http://127.0.0.1:1/a.gguf'], { XDG_DATA_HOME: '/proc/nope' }],
  ] as const) {
    const { code, doc } = await vpJson(place, args, { env })
    assert.deepEqual([code, doc.error?.code, doc.error?.next[0]?.[0]], [2, 'usage.params', 'export'], args.join(' '))
    assert.match(doc.error?.message ?? '', /^\/proc\/nope\S* cannot be written: nothing can be made there$/)
  }
})
