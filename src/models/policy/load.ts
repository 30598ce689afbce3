/**
 * A policy file as it is read: an error names the field, a warning names what will have no effect. Nothing is read
 * from a disk here. An unknown lane is an error; an unknown model of a known provider is only told.
 */
import { VpError } from '../../core/errors.ts'
import { linesOfJson } from '../../core/json-lines.ts'
import { wordsOfIssue } from '../../core/schema-issue.ts'
import { GRID_G_PER_KWH } from '../energy.ts'
import { CAPABILITY_TESTS, DEFAULT_TIERS, TASK_REQUIREMENTS } from './default.ts'
import { presetOf } from './presets.ts'
import { knownFields, LANES, policySchema, type NamedModel, type PolicyFile, type Tier, type TierModel } from './schema.ts'

/** No policy is larger. */
export const MAX_POLICY_BYTES = 1 << 20

export interface ReadPolicy {
  readonly policy: PolicyFile
  /** One sentence each, with the field first. */
  readonly warnings: readonly string[]
}

/** What an error of a policy says besides the field: where that stands, and which policy holds meanwhile. */
export interface PolicyPlace {
  readonly file: string
  /** Of a field by its path; absent: there is no text. */
  readonly lineOf?: ((path: readonly PropertyKey[]) => number) | undefined
  readonly meanwhile?: string | undefined
}

/** Throws `config.invalid` with field, file and line. */
export function parsePolicy(text: string, file: string, meanwhile?: string): ReadPolicy {
  return checkPolicy(policyJson(text, file, meanwhile), { file, lineOf: (path) => linesOfJson(text).lineOf(path), meanwhile })
}

/** As it stands, for whoever passes it on. A byte order mark is no part of it; a name that stands twice is refused. Throws `config.invalid`. */
export function policyJson(text: string, file: string, meanwhile?: string): unknown {
  const refuse = (message: string, line?: number) => refusal(message, { file, meanwhile }, line)
  if (text.length > MAX_POLICY_BYTES) throw refuse('the model policy is larger than 1 MiB')
  const bare = text.replace(/^\uFEFF/, '')
  let value: unknown
  try {
    value = JSON.parse(bare)
  } catch (error) {
    // Not the parser's own words: they quote the file.
    const at = Number(/ at position (\d+)/.exec((error as Error).message)?.[1] ?? bare.length)
    throw refuse('the model policy is not JSON', bare.slice(0, at).split('\n').length)
  }
  const { repeated, lineOf } = linesOfJson(bare)
  if (repeated) throw refuse(`${repeated.join('.')}: stands there twice`, lineOf(repeated))
  return value
}

function refusal(message: string, { file, meanwhile }: PolicyPlace, line?: number, why = meanwhile): VpError {
  return new VpError('config.invalid', message, {
    ...(why === undefined ? {} : { why }),
    where: { file, ...(line === undefined ? {} : { line }) },
    next: ['vp model show', 'docs/models.md'],
  })
}

/** Throws `config.invalid` with the field. */
export function checkPolicy(value: unknown, place: PolicyPlace): ReadPolicy {
  const refuse: Refuse = (path, message, why) => refusal(message, place, place.lineOf?.(path), why)
  const lane = Object.keys((value as { lane_overrides?: object | null } | null)?.lane_overrides ?? {}).find((name) => !LANES.some((one) => one === name))
  if (lane !== undefined) throw refuse(['lane_overrides', lane], `lane_overrides.${lane.slice(0, 60)}: there is no such lane`, `lanes: ${LANES.join(', ')}`)
  const parsed = policySchema().safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const name = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
    throw refuse([...(issue?.path ?? []), ...name], wordsOfIssue(issue, value))
  }
  const policy = parsed.data
  checkNames(policy, refuse)
  return { policy, warnings: [...unknownFields(value as PolicyFile), ...unknownModels(policy), ...idleDefault(policy)] }
}

type Refuse = (path: readonly PropertyKey[], message: string, why?: string) => VpError

/** A test or a tier that is named and not there would silently let everything through, or nothing. */
function checkNames(policy: PolicyFile, refuse: Refuse): void {
  const fail = (field: string, message: string, why?: string) => refuse(field.split('.'), `${field}: ${message}`, why)
  const tests = new Set(Object.keys(testsOf(policy)))
  const named: [string, readonly string[]][] = [
    ...Object.entries(policy.task_requirements ?? {}).map(([kind, one]): [string, readonly string[]] => [
      `task_requirements.${kind}.capability_tests`,
      one.capability_tests,
    ]),
    ...Object.entries(policy.tiers ?? {}).map(([tier, one]): [string, readonly string[]] => [`tiers.${tier}.capabilities`, one.capabilities ?? []]),
  ]
  for (const [field, names] of named)
    for (const one of names)
      if (!tests.has(one)) throw fail(field, `there is no capability test ${JSON.stringify(one.slice(0, 60))}`, `tests: ${[...tests].join(', ')}`)
  const grid = policy.energy?.grid
  if (grid !== undefined && GRID_G_PER_KWH[grid] === undefined)
    throw fail('energy.grid', `there is no ${grid} in the grid table`, `name grid_kg_per_kwh, or one of ${Object.keys(GRID_G_PER_KWH).join(', ')}`)
  for (const [field, one] of namedModels(policy)) {
    const lacks = LACKS[one.provider]?.(one)
    if (lacks) throw fail(field, `${one.provider} needs ${lacks}`)
  }
  for (const [tier, one] of Object.entries(policy.tiers ?? {}))
    for (const [index, model] of one.models.entries())
      if (one.network === 'none' && !isLocal(model))
        throw fail(`tiers.${tier}.models.${index}`, `${model.provider}:${model.model} is not on this machine, and the tier has network none`)
}

/** What is to be said of where a model is, besides its name. */
const LACKS: Partial<Record<NamedModel['provider'], (one: NamedModel) => string | null>> = {
  azure: ({ endpoint }) => (endpoint === undefined ? 'an endpoint' : null),
  bedrock: ({ endpoint, region }) => (endpoint === undefined && region === undefined ? 'a region' : null),
  vertex: ({ region, project }) => (region === undefined || project === undefined ? 'a region and a project' : null),
  mock: ({ endpoint }) => (endpoint === undefined ? 'an endpoint' : null),
}

const LOCAL_PROVIDERS: ReadonlySet<string> = new Set(['ollama', 'local_llama', 'llama_cpp', 'openai_compatible', 'mock'])

/** It answers on this machine. An `openai_compatible` one without an endpoint is Ollama's port. */
export function isLocal({ provider, endpoint }: NamedModel): boolean {
  if (!LOCAL_PROVIDERS.has(provider)) return false
  return endpoint === undefined || /^https?:\/\/(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?(\/|$)/.test(endpoint)
}

function unknownFields(value: PolicyFile): string[] {
  const words = (place: string, prefix: string, one: object | undefined) =>
    Object.keys(one ?? {})
      .filter((key) => !knownFields()[place]?.includes(key))
      .map((key) => `${prefix}${key}: no such field, it has no effect`)
  return [
    ...words('', '', value),
    ...words('default_provider', 'default_provider.', value.default_provider),
    ...Object.entries(value.lane_overrides).flatMap(([lane, one]) => [
      ...words('lane_overrides', `lane_overrides.${lane}.`, one),
      ...words('constraints', `lane_overrides.${lane}.constraints.`, one?.constraints),
    ]),
  ]
}

/** By the families that each provider has had; only a hint against a slip of the pen. */
const FAMILIES: Partial<Record<NamedModel['provider'], RegExp>> = {
  anthropic: /^(claude|sonnet|opus|haiku)\b/i,
  openai: /^(gpt|o\d|chatgpt|codex)\b/i,
  google: /^(gemini|gemma|learnlm)\b/i,
}

/** Every model that a policy names, with its field. */
function namedModels(policy: PolicyFile): [string, NamedModel][] {
  return [
    ['default_provider', policy.default_provider],
    ...Object.entries(policy.lane_overrides).map(([lane, one]): [string, NamedModel] => [`lane_overrides.${lane}`, one as NamedModel]),
    ...(policy.fallback_chain ?? []).map((one, index): [string, NamedModel] => [`fallback_chain.${index}`, one]),
    ...Object.entries(policy.tiers ?? {}).flatMap(([tier, one]) =>
      one.models.map((model, index): [string, NamedModel] => [`tiers.${tier}.models.${index}`, model]),
    ),
  ]
}

function unknownModels(policy: PolicyFile): string[] {
  return namedModels(policy).flatMap(([field, one]) => {
    const family = FAMILIES[one.provider]
    if (family) return family.test(one.model) ? [] : [`${field}: ${one.model} is no model of ${one.provider} that vp knows`]
    const isOllama = one.provider === 'ollama' || one.provider === 'local_llama'
    return isOllama && presetOf(one.model) === null ? [`${field}: ${one.model} is none of the presets: its window and dialect are not known`] : []
  })
}

/** Where there are tiers, only they are chosen from; a default provider beside them is asked where the policy says so. */
export function isIdleDefault({ default_provider, tiers, on_no_eligible_tier }: PolicyFile): boolean {
  if (tiers === undefined || on_no_eligible_tier === 'default_provider') return false
  return !Object.values(tiers).some(({ models }) => models.some((one) => isSame(one, default_provider)))
}

function isSame(one: NamedModel, other: NamedModel): boolean {
  const provider = ({ provider: name }: NamedModel) => (name === 'local_llama' ? 'ollama' : name)
  return provider(one) === provider(other) && one.model === other.model
}

function idleDefault(policy: PolicyFile): string[] {
  const { provider, model } = policy.default_provider
  return isIdleDefault(policy)
    ? [`default_provider: ${provider}:${model} is in no tier, so it is never chosen; put it into one, or set on_no_eligible_tier to "default_provider"`]
    : []
}

export const requirementsOf = (policy: PolicyFile): NonNullable<PolicyFile['task_requirements']> => ({ ...TASK_REQUIREMENTS, ...policy.task_requirements })
export const testsOf = (policy: PolicyFile): NonNullable<PolicyFile['capability_tests']> => ({ ...CAPABILITY_TESTS, ...policy.capability_tests })

/** An upstream file has no tiers: what it names stands in tiers of their own, with the limits of their kind. */
export function tiersOf(policy: PolicyFile): NonNullable<PolicyFile['tiers']> {
  if (policy.tiers) return policy.tiers
  const { default_provider: one } = policy
  const name = isLocal(one) ? 'Local-Small' : 'API-Premium'
  const like = DEFAULT_TIERS[name]
  const { provider, model, endpoint, api_key_command, region, project } = one
  const reach = Object.fromEntries(Object.entries({ endpoint, api_key_command, region, project }).filter(([, value]) => value !== undefined))
  // Upstream asks for no proof: whoever names a model there takes its word.
  return { [name]: { ...like, tools: [...DEFAULT_TIERS['API-Premium'].tools], models: [{ provider, model, ...reach, assume_capable: true }] } }
}

/** What a lane, the fallback or the default names, as its entry in the tiers has it: most say only which model it is. Null where no tier has it. */
export function entryOf(policy: PolicyFile, named: TierModel): { readonly tier: string; readonly limits: Tier; readonly model: TierModel } | null {
  for (const [tier, limits] of Object.entries(tiersOf(policy)))
    for (const entry of limits.models)
      if (
        entry.provider === named.provider &&
        entry.model === named.model &&
        (named.endpoint === undefined || entry.endpoint === undefined || entry.endpoint === named.endpoint)
      )
        return { tier, limits, model: { ...entry, ...named } }
  return null
}
