/** The policy file: the contract's own examples, what an upstream file may hold, and what must be refused with its field. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isVpError } from '../../core/errors.ts'
import { DIALECTS } from '../dialects/index.ts'
import { DEFAULT_POLICY } from './default.ts'
import { checkPolicy, isLocal, parsePolicy, tiersOf } from './load.ts'
import { LOCAL_MODELS, presetOf } from './presets.ts'
import { publishedSchema } from './schema.ts'

const read = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8')
const { vectors } = JSON.parse(read('test/vectors/policy.json')) as { vectors: { id: string; function: string; input: unknown; expect: unknown }[] }

const accepts = (value: unknown): boolean => {
  try {
    checkPolicy(value, { file: 'policy.json' })
    return true
  } catch (error) {
    assert.ok(isVpError(error) && error.code === 'config.invalid', String(error))
    return false
  }
}

for (const { id, function: name, input, expect } of vectors) if (name === 'policy_valid') test(`vector ${id}`, () => assert.equal(accepts(input), expect))

/** The contract's example of what upstream accepts. */
const UPSTREAM = {
  version: '2025-11-07-001',
  default_provider: { provider: 'anthropic', model: 'claude-3-5-sonnet', temperature: 0.7, max_tokens: 4096 },
  lane_overrides: {
    'Code-Impl': {
      provider: 'anthropic',
      model: 'claude-3-5-sonnet',
      constraints: { max_cost_per_task_usd: 2, max_tokens_per_task: 50_000, timeout_seconds: 300 },
    },
    'Data-Schema': { provider: 'local_llama', model: 'llama3.1:8b', constraints: { max_cost_per_task_usd: 0, timeout_seconds: 120 } },
    'Vector-Ops': { provider: 'local_llama', model: 'llama3.1:8b', constraints: { max_cost_per_task_usd: 0, timeout_seconds: 60 } },
    Narrative: { provider: 'anthropic', model: 'claude-3-haiku', constraints: { max_cost_per_task_usd: 0.25, timeout_seconds: 90 } },
  },
  fallback_chain: [
    { provider: 'openai', model: 'gpt-4o' },
    { provider: 'local_llama', model: 'llama3.1:8b' },
  ],
  cost_optimization: { budget_cap_usd: 100, enable_caching: true, prefer_local: false },
}

test('an upstream file loads unchanged', () => {
  const { policy, warnings } = checkPolicy(UPSTREAM, { file: 'policy.json' })
  assert.deepEqual(policy, UPSTREAM)
  assert.deepEqual(warnings, [
    'lane_overrides.Data-Schema: llama3.1:8b is none of the presets: its window and dialect are not known',
    'lane_overrides.Vector-Ops: llama3.1:8b is none of the presets: its window and dialect are not known',
    'fallback_chain.1: llama3.1:8b is none of the presets: its window and dialect are not known',
  ])
  assert.deepEqual(tiersOf(policy)['API-Premium']?.models, [{ provider: 'anthropic', model: 'claude-3-5-sonnet', assume_capable: true }])
})

test('fields of a newer upstream are told, not refused', () => {
  const { warnings } = checkPolicy(
    { ...UPSTREAM, lane_overrides: { Narrative: { provider: 'openai', model: 'gpt-4o', top_p: 1 } }, a_b_tests: [] },
    { file: 'p' },
  )
  assert.ok(
    warnings.includes('a_b_tests: no such field, it has no effect') && warnings.includes('lane_overrides.Narrative.top_p: no such field, it has no effect'),
    String(warnings),
  )
})

test('an unknown model of a known provider is a warning', () => {
  const { warnings } = checkPolicy(
    { ...UPSTREAM, lane_overrides: {}, fallback_chain: [], default_provider: { provider: 'openai', model: 'gtp-4o' } },
    { file: 'p' },
  )
  assert.deepEqual(warnings, ['default_provider: gtp-4o is no model of openai that vp knows'])
})

const idle: [title: string, change: object, warned: boolean][] = [
  ['outside of the tiers', {}, true],
  ['in one of them, under the other name of its provider', { default_provider: { provider: 'local_llama', model: 'qwen2.5-coder:7b' } }, false],
  ['without tiers', { tiers: undefined }, false],
  ['where the policy says that it is asked then', { on_no_eligible_tier: 'default_provider' }, false],
]
for (const [title, change, warned] of idle)
  test(`a default provider ${title} is ${warned ? 'told as never chosen' : 'no warning'}`, () => {
    const policy = { ...UPSTREAM, lane_overrides: {}, fallback_chain: [], tiers: { A: tiersOf(DEFAULT_POLICY)['Local-Small'] }, ...change }
    const warnings = checkPolicy(JSON.parse(JSON.stringify(policy)), { file: 'p' }).warnings
    assert.equal(
      warnings.some((one) => one.startsWith('default_provider: anthropic:claude-3-5-sonnet is in no tier, so it is never chosen')),
      warned,
      String(warnings),
    )
  })

const small = tiersOf(DEFAULT_POLICY)['Local-Small']
const refused: [title: string, change: object, says: RegExp][] = [
  ['a lane that is none', { lane_overrides: { 'Code-Imp': { provider: 'openai', model: 'gpt-4o' } } }, /lane_overrides/],
  [
    'a lane that is none, with the known ones',
    { lane_overrides: { Nowhere: { provider: 'openai', model: 'gpt-4o' } } },
    /^lane_overrides\.Nowhere: there is no such lane$/,
  ],
  ['a provider that is none', { fallback_chain: [{ provider: 'aws', model: 'x' }] }, /^fallback_chain\.0\.provider/],
  ['a key written into it', { tiers: { A: { ...small, models: [{ provider: 'openai', model: 'gpt-4o', api_key: 'k' }] } } }, /^tiers\.A\.models\.0/],
  [
    'a local tier with a model elsewhere',
    { tiers: { 'Local-Small': { ...small, models: [{ provider: 'ollama', model: 'x', endpoint: 'http://10.0.0.1:11434/v1' }] } } },
    /not on this machine/,
  ],
  ['a local tier that may reach out', { tiers: { 'Local-Big': { ...small, network: 'outbound' } } }, /Local- tier has network none/],
  ['a tier without models', { tiers: { A: { ...small, models: [] } } }, /^tiers\.A\.models/],
  ['a test that nobody defines', { task_requirements: { single_edit: { tools: [], capability_tests: ['magic'] } } }, /no capability test "magic"/],
  [
    'a negative price',
    { tiers: { A: { ...small, models: [{ provider: 'ollama', model: 'x', price: { in_per_1k_usd: -1, out_per_1k_usd: 0 } }] } } },
    /in_per_1k_usd/,
  ],
  ['p50 above p95', { tiers: { A: { ...small, expected_latency_ms: { p50: 2, p95: 1 } } } }, /p50 is above p95/],
  [
    'a key command that is a line for a shell',
    { default_provider: { provider: 'openai', model: 'gpt-4o', api_key_command: 'pass show key' } },
    /api_key_command/,
  ],
  ['a cloud without a place', { fallback_chain: [{ provider: 'bedrock', model: 'x' }] }, /^fallback_chain\.0: bedrock needs a region/],
  ['a region that leads elsewhere', { fallback_chain: [{ provider: 'bedrock', model: 'x', region: 'a.example/' }] }, /region/],
  ['an endpoint that is a file', { default_provider: { provider: 'openai', model: 'gpt-4o', endpoint: 'file:///etc/passwd' } }, /endpoint/],
]
for (const [title, change, says] of refused)
  test(`refused: ${title}`, () =>
    assert.throws(
      () => checkPolicy({ ...UPSTREAM, ...change }, { file: 'p' }),
      (error) => isVpError(error) && error.code === 'config.invalid' && says.test(error.message),
    ))

test('the policy of docs/models.md is one', () => {
  const [, block = ''] = /## A policy\n\n((?: {4}.*\n)+)/.exec(read('docs/models.md')) ?? []
  assert.deepEqual(parsePolicy(block, 'docs/models.md').warnings, [])
})

test('what is no JSON, or far too long, is refused with the file', () => {
  for (const text of ['{', '[]', 'null', '"x"', ' '.repeat(1 << 21)])
    assert.throws(
      () => parsePolicy(text, 'p.json'),
      (error) => isVpError(error) && error.details.where?.file === 'p.json',
    )
})

test('the policy in force by default is a sound one, with every preset known', () => {
  assert.deepEqual(checkPolicy(DEFAULT_POLICY, { file: 'p' }).warnings, [])
  for (const tier of Object.values(tiersOf(DEFAULT_POLICY))) for (const model of tier.models) if (isLocal(model)) assert.ok(presetOf(model.model), model.model)
  assert.deepEqual(LOCAL_MODELS.map((one) => one.name).toSorted(), ['phi-4', 'phi-4-mini', 'qwen2.5-coder', 'qwen3-coder'])
  for (const one of LOCAL_MODELS) assert.ok(DIALECTS.some(({ name }) => name === one.dialect) && one.vram_gb > one.download_gb, one.name)
})

test('the published JSON Schema is the one that holds: scripts/policy-schema.ts writes it', () => {
  assert.deepEqual(JSON.parse(read('docs/schema/model-policy.schema.json')), JSON.parse(JSON.stringify(publishedSchema())))
})

const placed: [title: string, text: string, line: number, says: RegExp][] = [
  [
    'a field, in its line',
    '{\n  "version": "2025-11-07-001",\n  "default_provider": { "provider": "aws",\n    "model": "x" },\n  "lane_overrides": {}\n}',
    3,
    /default_provider\.provider/,
  ],
  ['a lane, in its line', '{ "version": "2025-11-07-001",\n "lane_overrides": {\n "Nowhere": {} } }', 3, /no such lane/],
  ['a comma too many', '{\n  "version": "2025-11-07-001",\n}', 3, /is not JSON$/],
  ['a name that stands twice', '{\n  "version": "2025-11-07-001",\n  "tiers": {},\n  "tiers": {}\n}', 4, /^tiers: stands there twice$/],
]
for (const [title, text, line, says] of placed)
  test(`refused with file and line: ${title}`, () =>
    assert.throws(
      () => parsePolicy(text, 'p.json', 'the one before'),
      (error) => {
        assert.ok(isVpError(error) && says.test(error.message), String(error))
        assert.equal(error.details.where?.file, 'p.json')
        assert.equal(error.details.where?.line, line)
        return true
      },
    ))

test('a byte order mark is no part of a policy', () =>
  assert.equal(parsePolicy(`\uFEFF${JSON.stringify({ ...UPSTREAM, lane_overrides: {} })}`, 'p').policy.version, UPSTREAM.version))
