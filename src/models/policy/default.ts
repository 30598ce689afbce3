/**
 * The policy that holds until a person sets another, with the contract's own defaults for what a policy leaves out.
 * Source: contracts/policy.md sections 1 and 7.
 */
import { presetOf } from './presets.ts'
import type { CapabilityTest, PolicyFile, Requirement, Tier, TierModel } from './schema.ts'

const FREE = { in_per_1k_usd: 0, out_per_1k_usd: 0 }
const local = (tag: string): TierModel => ({ provider: 'ollama', model: presetOf(tag)?.tag ?? tag, price: FREE })

export const DEFAULT_TIERS: Readonly<Record<'Local-Small' | 'Local-Medium' | 'API-Premium', Tier>> = {
  'Local-Small': {
    models: [local('qwen2.5-coder'), local('phi-4-mini')],
    max_cost_per_min_usd: 0,
    max_tokens_per_min: 60_000,
    expected_latency_ms: { p50: 2000, p95: 15_000 },
    context_limit_tokens: 32_768,
    max_output_tokens: 4096,
    tools: ['code-edit'],
    network: 'none',
    device: 'gpu',
  },
  'Local-Medium': {
    models: [local('phi-4'), local('qwen3-coder')],
    max_cost_per_min_usd: 0,
    max_tokens_per_min: 30_000,
    expected_latency_ms: { p50: 5000, p95: 40_000 },
    context_limit_tokens: 131_072,
    max_output_tokens: 4096,
    tools: ['code-edit', 'tool-use'],
    network: 'none',
    device: 'gpu',
  },
  'API-Premium': {
    // Prices are those of the dated table, unless a policy names its own.
    models: [
      { provider: 'anthropic', model: 'claude-sonnet-4-5' },
      { provider: 'openai', model: 'gpt-5.1' },
      { provider: 'google', model: 'gemini-2.5-pro' },
    ],
    max_cost_per_min_usd: 0.5,
    max_tokens_per_min: 120_000,
    expected_latency_ms: { p50: 3000, p95: 30_000 },
    context_limit_tokens: 200_000,
    max_output_tokens: 8192,
    tools: ['code-edit', 'tool-use', 'patch-planning', 'json-mode', 'vision', 'long-context'],
    network: 'outbound',
    device: 'remote',
  },
}

export const CAPABILITY_TESTS: Readonly<Record<string, CapabilityTest>> = {
  unified_diff: { prompt_ref: 'unified_diff', check: 'valid_unified_diff', min_score: 0.75, ttl_hours: 720 },
  tool_call: { prompt_ref: 'tool_call', check: 'tool_call', min_score: 0.75, ttl_hours: 720 },
  multi_file_plan: { prompt_ref: 'multi_file_plan', check: 'plan_covers_files', min_score: 0.75, ttl_hours: 720 },
  json: { prompt_ref: 'json', check: 'valid_json', min_score: 0.75, ttl_hours: 720 },
}

export const TASK_REQUIREMENTS: Readonly<Record<string, Requirement>> = {
  single_edit: { tools: ['code-edit'], capability_tests: [] },
  multi_file_refactor: { tools: ['code-edit', 'tool-use', 'patch-planning'], capability_tests: ['unified_diff', 'multi_file_plan'] },
  planning: { tools: [], capability_tests: ['json', 'multi_file_plan'] },
  narrative: { tools: [], capability_tests: [] },
  schema_change: { tools: ['code-edit'], capability_tests: ['unified_diff'] },
  long_review: { tools: ['long-context'], capability_tests: [] },
}

export const DEFAULT_POLICY: PolicyFile = {
  version: '2026-11-29-001',
  default_provider: { provider: 'ollama', model: 'qwen2.5-coder:7b' },
  lane_overrides: {},
  tiers: DEFAULT_TIERS,
  capability_tests: CAPABILITY_TESTS,
  task_requirements: TASK_REQUIREMENTS,
  // Nobody has set anything yet: what is at hand goes on, and its receipt says that it has not proved it can.
  on_no_eligible_tier: 'default_provider',
}
