/** Capability tests for real: patches applied and tests run in the sandbox, results kept by digest, policy and time, and a run that waits for them. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { CASES } from '../../src/operations/capability/cases.ts'
import { startScriptedServer, type ScriptedAnswer, type WireRequest } from '../../src/models/scripted-server.ts'
import { call, makePlace, vp, vpJson, type Place } from '../e2e/kit.ts'

const DIFFS: Readonly<Record<string, string>> = {
  'src/cart.js':
    '--- a/src/cart.js\n+++ b/src/cart.js\n@@ -2,5 +2,5 @@\n   let sum = 0\n   for (const item of items) {\n-    sum += item.price\n+    sum += item.price * item.quantity\n   }\n   return sum\n',
  'src/text.js':
    "--- a/src/text.js\n+++ b/src/text.js\n@@ -1 +1 @@\n-export const LIMIT = 10\n+export const LIMIT = 5\n@@ -9,2 +9,2 @@\n   if (text.length <= LIMIT) return text\n-  return text.slice(0, LIMIT) + '...'\n+  return text.slice(0, LIMIT) + '~'\n",
}
const EDITS: Readonly<Record<string, { old: string; new: string }[]>> = {
  'src/cart.js': [{ old: 'sum += item.price', new: 'sum += item.price * item.quantity' }],
  'src/text.js': [
    { old: 'LIMIT = 10', new: 'LIMIT = 5' },
    { old: "'...'", new: "'~'" },
  ],
}

/** Does what each test asks; `clumsy` writes words around everything and reads nothing. */
function skilled(request: WireRequest): ScriptedAnswer {
  const [system, user] = request.messages.map((message) => message.content ?? '')
  const path = /src\/(?:cart|text)\.js/.exec(user ?? '')?.[0] ?? ''
  if (system?.includes('unified diff')) return { text: `Here it is:\n\`\`\`diff\n${DIFFS[path] ?? ''}\`\`\`` }
  if (system?.includes('calling tools')) {
    const turn = request.messages.filter((message) => message.role === 'assistant').length
    if (turn === 0) return call('read', { path })
    const edit = EDITS[path]?.[turn - 1]
    return edit ? call('edit', { path, ...edit }) : { text: 'done' }
  }
  if (system?.includes('plan a change'))
    return {
      text: JSON.stringify({ files: ['src/price.js', 'src/cart.js', 'src/invoice.js', 'test/price.test.js'].map((one) => ({ path: one, change: 'rename' })) }),
    }
  const wanted = CASES['json']?.find((one) => user?.startsWith(one.goal))
  if (wanted?.check === 'valid_json') return { text: JSON.stringify(wanted.expect) }
  if (system?.includes('finishes one task')) {
    const turn = request.messages.filter((message) => message.role === 'assistant').length
    return turn === 0
      ? call('write', { path: 'src/add.js', content: 'export const add = (a, b) => a + b\n' })
      : call('submit', { title: 'fix: add', summary: 'Adds.' })
  }
  return { text: '' }
}
const clumsy = (): ScriptedAnswer => ({ text: 'Sure! I would change the function so that it multiplies. Let me know if you need more.' })

const FILES = {
  'package.json': `${JSON.stringify({ name: 'sum', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } })}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(1, 2), 3))\n",
}
const tier = {
  max_cost_per_min_usd: 0,
  max_tokens_per_min: 1_000_000,
  expected_latency_ms: { p50: 1, p95: 2 },
  context_limit_tokens: 32_768,
  tools: ['code-edit'],
  network: 'none',
}

function policyAt(place: Place, baseUrl: string, change: object = {}): void {
  const file = join(place.env['HOME'] as string, '.config/vp/model-policy.json')
  mkdirSync(dirname(file), { recursive: true })
  const models = [{ provider: 'openai_compatible', model: 'qwen2.5-coder:7b', endpoint: baseUrl }]
  const requirement = { tools: ['code-edit'], capability_tests: ['unified_diff', 'tool_call'] }
  writeFileSync(
    file,
    JSON.stringify({
      version: '2026-11-29-201',
      default_provider: models[0],
      lane_overrides: {},
      tiers: { 'Local-Small': { ...tier, models } },
      task_requirements: { single_edit: requirement },
      ...change,
    }),
  )
}

interface Tested {
  readonly test: string
  readonly passed: boolean
  readonly score: number
  readonly evidence: readonly { readonly what: string; readonly ok: boolean; readonly saw: string }[]
  readonly receipts: readonly string[]
}

test('a model that can: four of four with evidence; a run that asked for it then goes; another digest counts anew', async (t) => {
  let digest = 'a'.repeat(64)
  const server = await startScriptedServer(skilled, (url) => {
    if (url === '/v1/models') return { data: [{ id: 'qwen2.5-coder:7b', owned_by: 'library' }] }
    return url === '/api/tags' ? { models: [{ name: 'qwen2.5-coder:7b', digest }] } : undefined
  })
  t.after(() => server.close())
  const place = makePlace(t, FILES)
  policyAt(place, server.baseUrl)
  const before = await vpJson(place, ['do', 'mend add'])
  assert.equal(before.doc.error?.code, 'model.no_eligible_tier', 'nothing is proved yet')
  const tested = await vpJson(place, ['model', 'test'])
  const tests = tested.doc.result?.['tests'] as unknown as Tested[]
  assert.deepEqual(
    tests?.map((one) => [one.test, one.passed, one.score]),
    ['unified_diff', 'tool_call', 'multi_file_plan', 'json'].map((name) => [name, true, 1]),
    JSON.stringify(tests, null, 1),
  )
  assert.deepEqual([tested.code, tested.doc.result?.['digest'], tested.doc.result?.['drift']], [0, digest, null])
  assert.match(JSON.stringify(tests[0]?.evidence), /the tests pass.*2 passed, 0 failed/)
  assert.ok((tests[0]?.receipts.length ?? 0) >= 4, 'what put it to work has receipts')
  const tiers = (await vpJson(place, ['model', 'list'])).doc.result?.['tiers'] as unknown as { models: { tests: object }[] }[] | undefined
  const row = tiers?.[0]?.models[0]
  assert.deepEqual(row?.tests, { passed: 4, of: 4 })
  const shown = (await vp(place, ['model', 'show'])).stdout
  assert.match(shown, /[✓+] unified_diff +1\.00/)
  assert.equal((await vp(place, ['do', 'mend add'])).code, 0, 'and now it goes')

  digest = 'b'.repeat(64)
  const drifted = await vp(place, ['model', 'test', '--test', 'json'])
  assert.equal(drifted.code, 0)
  assert.match(drifted.stderr, /qwen2\.5-coder:7b is another model than before: aaaaaaaaaaaa (?:→|->) bbbbbbbbbbbb/)
  assert.doesNotMatch((await vp(place, ['model', 'test', '--test', 'json'])).stderr, /another model/, 'told once')
  const again = (await vpJson(place, ['model', 'show'])).doc.result?.['tests'] as unknown as Tested[] | undefined
  assert.deepEqual(
    again?.map((one) => one.test),
    ['json'],
    'what another file has proved does not count',
  )
  policyAt(place, server.baseUrl, { version: '2026-11-29-202' })
  assert.deepEqual((await vpJson(place, ['model', 'show'])).doc.result?.['tests'], [], 'nor what another policy asked')
  policyAt(place, server.baseUrl, { capability_tests: { json: { prompt_ref: 'json', check: 'valid_json', min_score: 1, ttl_hours: 0 } } })
  assert.deepEqual((await vpJson(place, ['model', 'show'])).doc.result?.['tests'], [], 'nor what is too old')
})

test('a model that cannot: nothing passed, and each test says what was seen; asked for no more than its tier allows', async (t) => {
  const server = await startScriptedServer(clumsy)
  t.after(() => server.close())
  const place = makePlace(t, FILES)
  const models = [{ provider: 'openai_compatible', model: 'qwen2.5-coder:7b', endpoint: server.baseUrl }]
  policyAt(place, server.baseUrl, { tiers: { 'Local-Small': { ...tier, models, max_output_tokens: 300 } } })
  const { code, doc } = await vpJson(place, ['model', 'test'])
  const tests = doc.result?.['tests'] as unknown as Tested[]
  assert.equal(code, 3)
  assert.deepEqual(
    tests.map((one) => one.passed),
    [false, false, false, false],
  )
  assert.deepEqual([...new Set(server.requests.map((request) => request.max_tokens))], [300])
  for (const one of tests) assert.match(one.evidence.find(({ ok }) => !ok)?.saw ?? '', /\w/, one.test)
  assert.equal((await vpJson(place, ['do', 'mend add'])).doc.error?.code, 'model.no_eligible_tier')
})

test('a server that is not there was not tested; a test that is none is refused', async (t) => {
  const place = makePlace(t, FILES)
  policyAt(place, 'http://127.0.0.1:9/v1')
  assert.equal((await vpJson(place, ['model', 'test'])).doc.error?.code, 'model.unreachable')
  assert.equal((await vpJson(place, ['model', 'test', '--test', 'magic'])).code, 2)
  assert.deepEqual((await vpJson(place, ['model', 'show'])).doc.result?.['tests'], [])
})
