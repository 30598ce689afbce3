/** model.list, model.set: which models there are, and the one that a person's configuration names. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import * as z from 'zod/mini'
import { loadConfig } from '../config/config.ts'
import { VpError } from '../core/errors.ts'
import { chooseModel, LOCAL_PRESETS, offeredModels, type ModelSpec } from '../models/choose.ts'
import { tablePrice } from '../models/prices.ts'
import { makeDirectory } from '../store/make-directory.ts'
import type { Kit } from './kit.ts'
import { chosenModel } from './models.ts'
import { operation } from './operation.ts'

const TIERS = ['Local-Small', 'Local-Medium', 'API-Premium'] as const
const price = z.object({ in_per_million_usd: z.number(), out_per_million_usd: z.number() })
const listed = z.object({
  tiers: z.array(
    z.object({
      name: z.string(),
      models: z.array(
        z.object({
          model: z.string(),
          price: z.nullable(price),
          /** null: not measured. */
          window_tokens: z.nullable(z.int()),
          tests: z.nullable(z.object({ passed: z.int(), of: z.int() })),
        }),
      ),
    }),
  ),
  chosen: z.string(),
  source: z.string(),
})
export type ModelList = z.infer<typeof listed>

export const modelList = operation({
  name: 'model.list',
  summary: 'the models at hand by tier, their prices, and the one in force',
  params: z.strictObject({}),
  result: listed,
  effect: 'read',
  scope: 'projects.view',
  async handler(_params, { kit }): Promise<ModelList> {
    const { spec: chosen } = chosenModel(kit)
    const presets = LOCAL_PRESETS.filter((preset) => preset.model !== chosen.model)
    const rows = await Promise.all([chosen, ...presets, ...offeredModels(kit.env).map(({ spec }) => spec)].map((spec) => rowOf(kit, spec)))
    const tiers = TIERS.map((name) => ({ name, models: rows.filter((row) => row.tier === name).map((row) => row.model) }))
    return { tiers: tiers.filter((tier) => tier.models.length > 0), chosen: `${chosen.provider}:${chosen.model}`, source: chosen.source }
  },
})

async function rowOf(kit: Kit, spec: ModelSpec) {
  const provider = spec.provider === 'openai_compatible' && spec.endpoint.host === '127.0.0.1:11434' ? 'ollama' : spec.provider
  const free = { in_per_million_usd: 0, out_per_million_usd: 0 }
  const known = kit.config.prices[spec.model] ?? (spec.endpoint.loopback ? free : await tablePrice(spec.provider, spec.model))
  return { tier: spec.tier, model: { model: `${provider}:${spec.model}`, price: known, window_tokens: null, tests: null } }
}

export const modelSet = operation({
  name: 'model.set',
  summary: 'choose the model, in the user configuration',
  params: z.strictObject({
    /** `provider:model` */
    model: z.string().check(z.minLength(3), z.maxLength(200)),
    /** Where it answers; absent: the provider's own place. */
    base_url: z.optional(z.string().check(z.maxLength(2000))),
  }),
  result: z.object({ model: z.string(), file: z.string() }),
  effect: 'write',
  scope: 'policy.set',
  // It says where code of every repository is sent: a person's word, whoever speaks for them.
  decide: (_params, { caller }) =>
    caller.surface === 'cli' || caller.scopes.has('projects.approve')
      ? { effect: 'allow', rule: 'scope/policy.set', reason: 'a person set it' }
      : { effect: 'ask', rule: 'global/model-by-a-person', reason: 'what tasks need of your repositories is sent to the model that is set' },
  ask: ({ model, base_url }) => ({
    wants: `set the model to ${model}${base_url === undefined ? '' : ` at ${base_url}`}, for every repository`,
    reaches: 'your own configuration',
    undo: 'vp model set to the one before; not: what is sent to it meanwhile',
    fullyUndoable: false,
    maxExtent: 'call',
  }),
  handler({ model, base_url }, { kit }) {
    // A key is never part of it: keys stay in the environment.
    const { spec } = chooseModel({ VP_MODEL: model, ...(base_url === undefined ? {} : { VP_MODEL_BASE_URL: base_url }) }, null)
    const entry = { provider: model.slice(0, model.indexOf(':')), model: spec.model, ...(base_url === undefined ? {} : { base_url }) }
    const file = kit.paths.configFile
    writeConfig(kit, file, { ...readConfig(kit, file), model: entry })
    return Promise.resolve({ model, file })
  },
  say: ({ model }) => model,
})

/** As it stands. Throws `config.invalid`: what cannot be read is not written over. */
function readConfig(kit: Kit, file: string): object {
  loadConfig(file, kit.env)
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as object
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new VpError('config.invalid', `${file} cannot be read`, { cause: error, where: { file } })
  }
}

/** In one step, and only when it can be read again. */
function writeConfig(kit: Kit, file: string, value: object): void {
  const fresh = `${file}.new`
  makeDirectory(dirname(file))
  writeFileSync(fresh, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  try {
    loadConfig(fresh, kit.env)
    renameSync(fresh, file)
  } finally {
    rmSync(fresh, { force: true })
  }
}
