/**
 * The model in force: chosen by setting, reachable, and allowed to see this repository. A key that merely lies in
 * the environment is offered; it is used after one recorded yes per repository.
 */
import { readFileSync } from 'node:fs'
import { loadConfig } from '../config/config.ts'
import { VpError } from '../core/errors.ts'
import { appendReceipt } from '../ledger/receipts.ts'
import { chooseModel, endpointOf, inTier, offeredModels, OLLAMA_URL, PRESET, specOf, staysHere, type Choice, type ModelSpec } from '../models/choose.ts'
import { DEFAULT_PARAMETERS, type Provider } from '../models/contract.ts'
import { NO_FACTS } from '../models/facts.ts'
import { isLocal } from '../models/policy/load.ts'
import type { Tier, TierModel } from '../models/policy/schema.ts'
import { FREE, type Price } from '../models/prices.ts'
import { openProvider, type ProviderOptions } from '../models/providers/index.ts'
import { parseRecording, recordedProvider } from '../models/recorded.ts'
import type { Broker, Wanted } from './broker/broker.ts'
import { modelKey } from './broker/calls.ts'
import { knownFacts } from './broker/facts.ts'
import { factsOnce, snapshotJson, snapshotOf, type SnapshotSource } from './broker/snapshot.ts'
import { fileDigest } from './file-digest.ts'
import { inProcessFault, llamaDirectories, modelFile } from './in-process.ts'
import type { Kit } from './kit.ts'
import { measuredWindow } from './measured-window.ts'
import { policyInForce } from './model-policy.ts'
import { withKey } from './model-key.ts'
import { priceOfModel } from './model-price.ts'
import type { Caller, Scene } from './operation.ts'
import { answers } from './reach.ts'
import type { StartRequest } from './runs/start.ts'

export interface OpenModel {
  readonly provider: Provider
  readonly tier: string
  readonly host: string
  readonly source: string
  readonly price: Price | null
  readonly snapshot: SnapshotSource | null
  /** Of the tier that a person named. */
  readonly max_output_tokens?: number | undefined
  /** null: a person named the model, for every task. */
  readonly broker: Broker | null
}

/** For which checkout, who is asked, and what ends the waiting. */
export interface OpeningScene extends Pick<Scene, 'kit' | 'signal'> {
  readonly tree: Pick<Scene['tree'], 'root'>
  readonly caller: Pick<Caller, 'confirm' | 'surface' | 'live'>
}

/** What is known of the task when a model is first opened: one that a policy chooses is that of such a task. */
const FIRST_TASK: Wanted = { lane: 'Code-Impl', files: 0, complexity: 'simple', left: { micro_usd: null, tokens: null } }

/** Throws `model.none`, `model.no_eligible_tier`, `model.consent`, `model.offline`, `usage.flag`, `config.invalid`. */
export async function openModel(scene: OpeningScene, first: Wanted = FIRST_TASK): Promise<OpenModel> {
  const { kit } = scene
  const setting = kit.env['VP_MODEL']
  if (setting?.startsWith('recorded:')) return openRecording(setting.slice('recorded:'.length))
  const choice = chosenModel(kit)
  if (choice.spec.source === 'policy' || (choice.spec.source === PRESET && (await answers(choice.spec.baseUrl)))) return openByPolicy(scene, first)
  return openChosen(scene, await reachable(kit, choice))
}

/**
 * The first model of a tier that a person named: at its own place, with its own key and price. Whoever set the policy agreed to
 * its hosts; of the one that vp comes with only the tier's name was typed, so its hosts need a yes. Throws as `openModel`.
 */
export async function openOfTier(scene: OpeningScene, tier: string, limits: Tier): Promise<OpenModel> {
  const { kit } = scene
  const [named] = limits.models
  if (!named) throw new VpError('internal', `tier ${tier} has no model`)
  const spec = inTier(specOf(named, tier, kit.env, `tier ${tier}`), limits)
  const choice: Choice =
    policyInForce(kit).file === null && !staysHere(spec.endpoint)
      ? { kind: 'offered', spec, because: `${tier} is a tier of the policy that vp comes with` }
      : { kind: 'chosen', spec, consent: 'given' }
  return { ...(await openChosen(scene, choice, named)), max_output_tokens: limits.max_output_tokens }
}

async function openChosen(scene: OpeningScene, choice: Choice, named?: Pick<TierModel, 'price' | 'api_key_command'>): Promise<OpenModel> {
  const { kit } = scene
  const spec = await consented(scene, choice, named?.price)
  if (kit.offline && !staysHere(spec.endpoint))
    throw new VpError('model.offline', `--offline, and ${spec.endpoint.host} is not this machine`, {
      next: ['vp without --offline', 'vp model list'],
    })
  const provider = await openKeyed(scene, spec, named?.api_key_command ?? configuredCommand(kit, spec))
  const { price } = await priceOfModel(kit, spec, named?.price)
  return {
    provider,
    tier: spec.tier,
    host: spec.endpoint.host,
    source: spec.source,
    price,
    snapshot: { tier: spec.tier, policy_version: null, capability_results: {}, facts: factsOnce(provider, spec) },
    broker: null,
  }
}

/** With its key, through the person's proxy. Throws `model.auth`; of a model in this process what `inProcessFault` finds. */
export async function openKeyed({ kit, tree, caller, signal }: OpeningScene, spec: ModelSpec, command: readonly string[] | undefined): Promise<Provider> {
  const fault = await inProcessFault(kit, spec)
  if (fault) throw fault
  // Ctrl-C at a run pauses it: a command that prints a key is not waited for then either.
  const stop = caller.live ? AbortSignal.any([signal, caller.live.pause]) : signal
  const keyed = spec.endpoint.loopback && command === undefined ? spec : await withKey(kit, spec, command, tree.root, stop)
  return openProvider(keyed, providerOptions(kit, keyed))
}

/** Of the configuration, where the model is the one that it names and the environment has no key. */
function configuredCommand(kit: Kit, spec: ModelSpec): readonly string[] | undefined {
  const { model } = kit.config
  return spec.source === 'configuration' && spec.apiKey === null ? model?.api_key_command : undefined
}

/** What the passport of a run says of its model; nothing is asked for it that is not known. */
export async function passportModel(kit: Kit, { provider, host, tier, snapshot, broker }: OpenModel): Promise<StartRequest['model']> {
  const parameters = broker?.lane_parameters ? { parameters: broker.lane_parameters } : {}
  const plain = { name: provider.name, model: provider.model, host, tier, ...parameters }
  if (snapshot === null) return plain
  const facts = await kit.store.read((tx) => knownFacts(tx, modelKey(provider)))
  return { ...plain, snapshot: snapshotJson(snapshotOf(provider, snapshot, facts ?? NO_FACTS, broker?.parameters ?? DEFAULT_PARAMETERS)) }
}

async function openByPolicy(scene: OpeningScene, first: Wanted): Promise<OpenModel> {
  const { kit, tree } = scene
  const { openBroker } = await import('./broker/broker.ts')
  const inForce = policyInForce(kit)
  const broker = openBroker(kit, inForce, tree.root, {
    open: async (spec, named) => {
      // A person set the policy that names it: that is their yes, which is written down for this repository.
      if (!staysHere(spec.endpoint)) await recordConsent(scene, spec, 'policy')
      return openKeyed(scene, spec, named.api_key_command)
    },
  })
  const { provider, tier, price, source } = await broker.choose(first)
  return { provider, tier, host: provider.endpoint.host, source: inForce.file === null ? PRESET : 'policy', price, snapshot: source, broker }
}

/** It says nothing while it loads a model and reads a prompt: on a machine without a GPU that is minutes. */
const OLLAMA_STALL_SECONDS = 600

/** What every provider is opened with, and llama.cpp in this process besides. */
export function providerOptions(kit: Pick<Kit, 'env' | 'paths' | 'config' | 'store'>, spec: ModelSpec): ProviderOptions {
  const threads = Number(kit.env['VP_LLAMA_THREADS'] ?? 0)
  const inProcess = {
    file: modelFile(kit, spec.model),
    directories: llamaDirectories(kit),
    threads: Number.isSafeInteger(threads) && threads > 0 ? threads : null,
    grammar: 'repair' as const,
    digest: (file: string) => fileDigest(kit, file),
  }
  return {
    stallMs: Math.max(kit.config.stall_seconds, spec.provider === 'ollama' ? OLLAMA_STALL_SECONDS : 0) * 1000,
    proxyEnv: kit.env,
    measuredWindow: (digest) => measuredWindow(kit, spec, digest),
    ...(spec.provider === 'llama_cpp' ? { inProcess } : {}),
    ...(spec.provider === 'anthropic' ? { caching: policyInForce(kit).policy.cost_optimization?.enable_caching ?? true } : {}),
  }
}

function openRecording(file: string): OpenModel {
  const exchanges = parseRecording(readFileSync(file, 'utf8'))
  return {
    provider: recordedProvider(exchanges, 'recorded'),
    tier: 'Local-Small',
    host: 'recording',
    source: 'VP_MODEL',
    price: FREE,
    snapshot: null,
    broker: null,
  }
}

/** Named by the environment, else by the configuration as it is now, else the policy's default, else the first preset. Throws `usage.flag`, `config.invalid`. */
export function chosenModel(kit: Pick<Kit, 'env' | 'paths'>): Choice {
  return chooseModel(kit.env, configured(kit))
}

function configured(kit: Pick<Kit, 'env' | 'paths'>): ModelSpec | null {
  const { model } = loadConfig(kit.paths.configFile, kit.env).config
  if (!model) {
    const { policy, file } = policyInForce(kit)
    return file === null ? null : specOf(policy.default_provider, isLocal(policy.default_provider) ? 'Local-Small' : 'API-Premium', kit.env, 'policy')
  }
  const env = {
    VP_MODEL: `${model.provider}:${model.model}`,
    ...(model.base_url ? { VP_MODEL_BASE_URL: model.base_url } : {}),
    VP_MODEL_API_KEY: kit.env['VP_MODEL_API_KEY'],
    ANTHROPIC_API_KEY: kit.env['ANTHROPIC_API_KEY'],
    OPENAI_API_KEY: kit.env['OPENAI_API_KEY'],
    GOOGLE_GENERATIVE_AI_API_KEY: kit.env['GOOGLE_GENERATIVE_AI_API_KEY'],
  }
  const choice = chooseModel(env, null)
  return { ...choice.spec, source: 'configuration' }
}

/** Nothing chosen by a person and nothing on Ollama's port: what is offered, or the two shortest ways to a model. */
async function reachable(kit: Kit, choice: Choice): Promise<Choice> {
  if (choice.spec.source !== PRESET || (await answers(choice.spec.baseUrl))) return choice
  const offered = offeredModels(kit.env)[0]
  if (offered) return offered
  throw new VpError('model.none', `nothing answers at ${endpointOf(OLLAMA_URL).host}, no API key in the environment`, {
    next: [`ollama pull ${choice.spec.model}                     local, free, 4.7 GB`, 'export VP_MODEL=anthropic:NAME VP_MODEL_API_KEY=KEY'],
  })
}

async function consented(scene: OpeningScene, choice: Choice, named?: TierModel['price']): Promise<ModelSpec> {
  const { kit, tree, caller } = scene
  const { spec } = choice
  if (staysHere(spec.endpoint)) return spec
  const subject = `model:${spec.endpoint.host}`
  const known = await kit.store.read((tx) => tx.get('SELECT given_at FROM consents WHERE repository = ? AND subject = ?', tree.root, subject))
  if (known) return spec
  if (choice.kind === 'offered') {
    const { price } = await priceOfModel(kit, spec, named)
    const words = price ? `$${price.in_per_million_usd.toFixed(2)} in, $${price.out_per_million_usd.toFixed(2)} out per million tokens` : 'price unknown'
    const ask = {
      wants: `send files of this repository that a task needs to ${spec.endpoint.host} (${spec.model}, ${words})`,
      reaches: `${spec.endpoint.host}, over TLS, secrets masked`,
      undo: 'not: what was sent stays sent',
      fullyUndoable: false,
      maxExtent: 'project' as const,
    }
    const decision = {
      effect: 'ask' as const,
      rule: 'global/code-leaves-the-machine',
      reason: `${choice.because}, but nobody chose this model`,
    }
    const answer = caller.confirm ? await caller.confirm({ ask, decision, approval: '' }) : 'later'
    if (answer === 'later' || answer === 'deny')
      throw new VpError('model.consent', `${choice.because}, but code leaves this machine only after a yes`, {
        why: `${spec.model} at ${spec.endpoint.host} would see files of this repository; ${words}`,
        next: [`export VP_MODEL=${spec.provider}:${spec.model}`, 'the same command in a terminal, and answer a or p'],
      })
  }
  await recordConsent(scene, spec, choice.kind === 'offered' ? 'prompt' : spec.source)
  return spec
}

/** Once a repository and host. */
async function recordConsent({ kit, tree, caller }: OpeningScene, spec: ModelSpec, by: string): Promise<void> {
  const subject = `model:${spec.endpoint.host}`
  await kit.store.transaction(
    async (tx) => {
      const isNew = await tx.run(
        'INSERT INTO consents (repository, subject, given_at) VALUES (?, ?, ?) ON CONFLICT (repository, subject) DO NOTHING',
        tree.root,
        subject,
        kit.clock.now(),
      )
      if (isNew === 0) return
      await appendReceipt(tx, kit, {
        op: 'model.consent',
        actor: 'human',
        surface: caller.surface,
        outcome: 'approved',
        summary: `${spec.endpoint.host}, ${spec.model}`,
        detail: { host: spec.endpoint.host, model: spec.model, by },
      })
    },
    { durable: true },
  )
}
