/** model.set: the model that a person names for everything, or the policy by which one is chosen for each task. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import * as z from 'zod/mini'
import { loadConfig } from '../config/config.ts'
import { VpError } from '../core/errors.ts'
import { chooseModel, inTier, specOf, staysHere } from '../models/choose.ts'
import { checkPolicy, entryOf } from '../models/policy/load.ts'
import type { NamedModel, PolicyFile, Tier } from '../models/policy/schema.ts'
import { atPath } from '../store/directory.ts'
import { makeDirectory } from '../store/make-directory.ts'
import type { Kit } from './kit.ts'
import { writePolicy } from './model-policy.ts'
import { inProcessFault } from './in-process.ts'
import { operation } from './operation.ts'

export const modelSet = operation({
  name: 'model.set',
  summary: 'choose the model, or the policy that chooses it for each task',
  params: () =>
    z
      .strictObject({
        /** `provider:model`, for every task. */
        model: z.optional(z.string().check(z.minLength(3), z.maxLength(200))),
        /** Where it answers; absent: the provider's own place. */
        base_url: z.optional(z.string().check(z.maxLength(2000))),
        /** A model policy: docs/schema/model-policy.schema.json. It takes the place of a model that was named before. */
        policy: z.optional(z.looseObject({ version: z.string() })),
      })
      .check(z.refine((one) => (one.model === undefined) !== (one.policy === undefined), { error: 'takes either a model or a policy' })),
  result: () =>
    z.object({
      model: z.string(),
      file: z.string(),
      policy: z.optional(z.string()),
      /** Beyond this machine, where a policy lets code be sent. */
      hosts: z.optional(z.array(z.string())),
      warnings: z.array(z.string()),
    }),
  effect: 'write',
  scope: 'policy.set',
  // It says where code of every repository is sent: a person's word, whoever speaks for them.
  decide: (_params, { caller }) =>
    caller.surface === 'cli' || caller.scopes.has('projects.approve')
      ? { effect: 'allow', rule: 'scope/policy.set', reason: 'a person set it' }
      : { effect: 'ask', rule: 'global/model-by-a-person', reason: 'what tasks need of your repositories is sent to the model that is set' },
  ask: ({ model, base_url, policy }, { kit }) => ({
    wants: `set the model ${
      model === undefined
        ? `policy ${policy?.version ?? ''} (${
            hostsOf(checkPolicy(policy, { file: 'the policy' }).policy, kit.env)
              .slice(0, 12)
              .join(', ') || 'all on this machine'
          })`
        : `to ${model}`
    }${base_url === undefined ? '' : ` at ${base_url}`}, for every repository`,
    reaches: 'your own configuration',
    undo: 'vp model set to the one before; not: what is sent to it meanwhile',
    fullyUndoable: false,
    maxExtent: 'call',
  }),
  async handler({ model, base_url, policy }, { kit }) {
    if (model === undefined) return setPolicy(kit, policy)
    // A key is never part of it: keys stay in the environment.
    const { spec } = chooseModel({ VP_MODEL: model, ...(base_url === undefined ? {} : { VP_MODEL_BASE_URL: base_url }) }, null)
    const entry = { provider: model.slice(0, model.search(/[:/]/)), model: spec.model, ...(base_url === undefined ? {} : { base_url }) }
    const file = kit.paths.configFile
    writeConfig(kit, file, { ...readConfig(kit, file), model: entry })
    const fault = await inProcessFault(kit, spec)
    return { model, file, warnings: fault ? [[fault.message, ...(fault.details.next ?? []).slice(0, 1)].join(': ')] : [] }
  },
  say: ({ model, policy }) => model ?? `policy ${policy?.version ?? ''}`,
})

/** The file first: a policy that does not hold changes nothing. Then the model that was named before makes way for it. */
function setPolicy(kit: Kit, value: unknown) {
  const config = kit.paths.configFile
  const { model: _, ...rest } = readConfig(kit, config) as { model?: unknown }
  const { policy, file, warnings } = writePolicy(kit, value)
  const hosts = hostsOf(policy, kit.env)
  if (_ !== undefined) writeConfig(kit, config, rest)
  const { provider, model } = policy.default_provider
  return { model: `${provider}:${model}`, file: file ?? '', policy: policy.version, hosts, warnings: [...warnings] }
}

/** Where a policy lets code be sent beyond this machine. */
function hostsOf(policy: PolicyFile, env: Kit['env']): string[] {
  const hostOf = (named: NamedModel, limits: Pick<Tier, 'network' | 'device'> = { network: 'none' }): string | null => {
    try {
      const { endpoint } = inTier(specOf(named, '', env, 'policy'), limits)
      return staysHere(endpoint) ? null : endpoint.host
    } catch {
      return named.provider // a cloud whose region this shell does not say
    }
  }
  const named = [policy.default_provider, ...Object.values(policy.lane_overrides), ...(policy.fallback_chain ?? [])]
  const hosts = [
    ...named.flatMap((one) => {
      if (!one) return []
      const at = entryOf(policy, one)
      return [hostOf(at?.model ?? one, at?.limits)]
    }),
    ...Object.values(policy.tiers ?? {}).flatMap((tier) => tier.models.map((one) => hostOf(one, tier))),
  ]
  return [...new Set(hosts.filter((host) => host !== null))]
}

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
  atPath(file, ['export VP_CONFIG=FILE'], () => {
    makeDirectory(dirname(file))
    writeFileSync(fresh, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
    try {
      loadConfig(fresh, kit.env)
      renameSync(fresh, file)
    } finally {
      rmSync(fresh, { force: true })
    }
  })
}
