/** `vp model list|show|set`: which models there are, what is known of one, and which is taken. */
import { readFileSync } from 'node:fs'
import { VpError } from '../../../core/errors.ts'
import { MAX_POLICY_BYTES } from '../../../models/policy/load.ts'
import { modelList, modelShow, type ModelList, type ModelShown } from '../../../operations/model-list.ts'
import { modelSet } from '../../../operations/model-setting.ts'
import type { Command } from '../command.ts'
import { doneScreen } from '../screens/by-hand.ts'
import { modelListScreen, modelShownScreen } from '../screens/models.ts'

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
    return { result, receipt: answer.receipt, screen: (look) => modelListScreen({ tiers, policy, prices_of }, look) }
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
  json: 'model, tier, local, endpoint, price, price_from, window_tokens, preset, tools[], limits, policy{version,file,warnings[]}',
  async run(context) {
    const model = context.positionals[0]
    const answer = await context.call(modelShow, model === undefined ? {} : { model })
    const result = answer.result as ModelShown
    return { result, receipt: answer.receipt, screen: (look) => modelShownScreen(result, look) }
  },
}

interface SetResult {
  readonly model: string
  readonly policy?: string
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
  json: 'model, file, policy, warnings[]',
  async run(context) {
    const wanted = context.positionals[0]
    if (wanted === undefined)
      throw new VpError('usage.flag', 'vp model set takes a policy file or provider:model', {
        next: ['vp model set ollama:qwen2.5-coder:7b'],
      })
    const baseUrl = typeof context.flags['base-url'] === 'string' ? context.flags['base-url'] : undefined
    const params = wanted.endsWith('.json') ? { policy: readPolicy(wanted) } : { model: wanted, ...(baseUrl === undefined ? {} : { base_url: baseUrl }) }
    const answer = await context.call(modelSet, params)
    const { model, policy, warnings } = answer.result as SetResult
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

/** As JSON; what it says is looked at where it is set. Throws `config.invalid`. */
function readPolicy(file: string): unknown {
  try {
    const text = readFileSync(file, 'utf8')
    if (text.length > MAX_POLICY_BYTES) throw new TypeError('larger than 1 MiB')
    return JSON.parse(text)
  } catch (cause) {
    throw new VpError('config.invalid', `${file}: ${(cause as Error).message}`, { cause, where: { file } })
  }
}
