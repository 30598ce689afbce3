/** `vp model list|show|set`: which models there are, what is known of one, and which is taken. */
import { readFileSync, statSync } from 'node:fs'
import { VpError } from '../../../core/errors.ts'
import { PRESET } from '../../../models/choose.ts'
import { parsePolicy, policyJson } from '../../../models/policy/load.ts'
import { modelList, modelShow, type ModelList, type ModelShown } from '../../../operations/model-list.ts'
import { modelSet } from '../../../operations/model-setting.ts'
import { modelTest, type ModelTested } from '../../../operations/model-test.ts'
import type { Command } from '../command.ts'
import { doneScreen } from '../screens/by-hand.ts'
import { modelListScreen, modelShownScreen, modelTestedScreen } from '../screens/models.ts'

export const modelListCommand: Command = {
  name: 'model list',
  group: 'models',
  summary: 'tiers, models, prices',
  usage: 'vp model list',
  examples: ['vp model list', 'vp model list --json', 'vp model list | grep Local'],
  flags: {},
  needsKit: true,
  exits: [0, 2],
  json: 'tiers[]{name,models[]{model,price,window_tokens,tests,p50_ms}}, chosen, source, policy, prices_of',
  async run(context) {
    const answer = await context.call(modelList, {})
    const result = answer.result as ModelList
    const { tiers, policy, prices_of } = result
    const named = result.source !== PRESET && result.source !== 'policy' ? `${result.chosen} (${result.source})` : null
    return { result, receipt: answer.receipt, screen: (look) => modelListScreen({ tiers, policy, prices_of, named }, look) }
  },
}

export const modelShowCommand: Command = {
  name: 'model show',
  group: 'models',
  summary: 'everything that is known of one model',
  usage: 'vp model show [MODEL]',
  takes: 1,
  examples: ['vp model show', 'vp model show phi-4', 'vp model show anthropic:claude-sonnet-4-5 --json'],
  flags: {},
  needsKit: true,
  exits: [0, 2, 8],
  json: 'model, tier, local, endpoint, price, price_from, window_tokens, preset, tools[], limits, digest, health, tests[], policy{version,file,warnings[]}',
  async run(context) {
    const model = context.positionals[0]
    const answer = await context.call(modelShow, model === undefined ? {} : { model })
    const result = answer.result as ModelShown
    return { result, receipt: answer.receipt, screen: (look) => modelShownScreen(result, look) }
  },
}

export const modelTestCommand: Command = {
  name: 'model test',
  group: 'models',
  summary: 'try what a model can do, for real',
  usage: 'vp model test [MODEL]',
  takes: 1,
  examples: ['vp model test', 'vp model test phi-4', 'vp model test anthropic:claude-sonnet-4-5 --budget-usd 0.10'],
  flags: {
    test: { type: 'string', multiple: true, help: 'only this one; may be given again' },
    'budget-usd': { type: 'string', help: 'at most this much' },
  },
  needsKit: true,
  exits: [0, 2, 3, 4, 6, 8, 130],
  json: 'model, tier, digest, drift{was,is}, policy, tests[]{test,passed,score,min_score,evidence[],receipts[],ms,tokens}, cost_usd',
  async run(context) {
    const model = context.positionals[0]
    const tests = context.flags['test']
    const budget = budgetOf(context.flags['budget-usd'])
    context.talk('note  four small tests, each a few calls to the model')
    const answer = await context.call(modelTest, {
      ...(model === undefined ? {} : { model }),
      ...(Array.isArray(tests) ? { tests } : {}),
      ...(budget === undefined ? {} : { budget_usd: budget }),
    })
    const result = answer.result as ModelTested
    const failed = result.tests.filter((one) => !one.passed)
    return { result, receipt: answer.receipt, exit: failed.length > 0 ? 3 : 0, screen: (look) => modelTestedScreen(result, look) }
  },
}

/** Throws `usage.flag`. */
function budgetOf(flag: unknown): number | undefined {
  if (flag === undefined) return undefined
  const value = Number(flag)
  if (typeof flag !== 'string' || flag.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new VpError('usage.flag', `--budget-usd is an amount, not ${JSON.stringify(flag)}`, { next: ['vp model test --budget-usd 0.10'] })
  return value
}

interface SetResult {
  readonly model: string
  readonly policy?: string
  readonly hosts?: readonly string[]
  readonly warnings: readonly string[]
}

export const modelSetCommand: Command = {
  name: 'model set',
  group: 'models',
  summary: 'choose the model, or a policy that chooses',
  usage: 'vp model set PROVIDER:MODEL|POLICY.json',
  takes: 1,
  examples: ['vp model set ollama:qwen2.5-coder:7b', 'vp model set ollama:phi4:14b', 'vp model set policy.json'],
  flags: { 'base-url': { type: 'string', help: 'where it answers' } },
  needsKit: true,
  exits: [0, 2],
  json: 'model, file, policy, hosts[], warnings[]',
  async run(context) {
    const wanted = context.positionals[0]
    if (wanted === undefined)
      throw new VpError('usage.flag', 'vp model set takes a policy file or provider:model', {
        next: ['vp model set ollama:qwen2.5-coder:7b'],
      })
    const baseUrl = typeof context.flags['base-url'] === 'string' ? context.flags['base-url'] : undefined
    const params = wanted.endsWith('.json') ? { policy: readPolicy(wanted) } : { model: wanted, ...(baseUrl === undefined ? {} : { base_url: baseUrl }) }
    const answer = await context.call(modelSet, params)
    const { model, policy, hosts = [], warnings } = answer.result as SetResult
    if (hosts.length > 0) context.talk(`note  this is your yes to sending what tasks need of your repositories to ${hosts.join(', ')}`)
    for (const warning of warnings) context.talk(`note  ${warning}`)
    return {
      result: answer.result,
      receipt: answer.receipt,
      warnings,
      screen: (look) =>
        doneScreen(
          { done: policy === undefined ? `model ${model}` : `policy ${policy}`, next: policy === undefined ? ['vp doctor'] : ['vp model list'] },
          look,
        ),
    }
  },
}

/** As JSON, looked at here, where file and lines are known. Throws `config.invalid`. */
function readPolicy(file: string): unknown {
  let text: string
  try {
    // Whatever else can be opened may never come to an end; a pipe of the shell does.
    const found = statSync(file)
    if (!found.isFile() && !file.startsWith('/dev/fd/')) throw Object.assign(new Error(file), { code: found.isDirectory() ? 'EISDIR' : 'ENOTREG' })
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    const codes: Readonly<Record<string, string>> = { ENOENT: 'is not there', EISDIR: 'is a directory', ENOTREG: 'is no regular file' }
    const words = codes[(cause as NodeJS.ErrnoException).code ?? ''] ?? 'cannot be read'
    throw new VpError('config.invalid', `${file} ${words}`, { cause, where: { file }, next: ['docs/models.md', 'vp model list'] })
  }
  const meanwhile = 'the policy before it stays in force'
  parsePolicy(text, file, meanwhile)
  return policyJson(text, file, meanwhile)
}
