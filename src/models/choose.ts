/**
 * Which model, from what is configured. Pure. A key that merely lies in the environment is offered, never taken:
 * code leaves the machine only for a host that a person named or agreed to.
 */
import { VpError } from '../core/errors.ts'
import type { Endpoint } from './contract.ts'
import { presetOf } from './policy/presets.ts'
import type { NamedModel, Tier } from './policy/schema.ts'

export type ProviderName = 'ollama' | 'llama_cpp' | 'openai_compatible' | 'openai' | 'anthropic' | 'google' | 'bedrock' | 'vertex' | 'azure'

/** Those that are asked over HTTP, on wires of ours; the others come with packages of their own. */
export type OwnProvider = Exclude<ProviderName, 'llama_cpp' | 'bedrock' | 'vertex' | 'azure'>

export interface ModelSpec {
  readonly provider: ProviderName
  readonly model: string
  readonly baseUrl: string
  readonly apiKey: string | null
  /** Of Bedrock and Vertex. */
  readonly region?: string
  readonly project?: string
  readonly endpoint: Endpoint
  /** `Local-Small`, `Local-Medium`, `API-Premium`, or another of the policy. */
  readonly tier: string
  /** Where the choice came from, for `vp config show`. */
  readonly source: string
}

export type Choice =
  | { readonly kind: 'chosen'; readonly spec: ModelSpec; readonly consent: 'not_needed' | 'given' }
  | { readonly kind: 'offered'; readonly spec: ModelSpec; readonly because: string }

export const OLLAMA_URL = 'http://127.0.0.1:11434'
/** The source of what nobody chose. */
export const PRESET = 'preset (Ollama)'
/** The two local options of the requirements: Qwen-Coder and Phi. */
export const LOCAL_PRESETS: readonly ModelSpec[] = [preset('qwen2.5-coder:7b', 'Local-Small'), preset('phi4:14b', 'Local-Medium')]

const VENDORS: readonly { provider: ProviderName; baseUrl: string; variables: readonly string[]; model: string }[] = [
  {
    provider: 'anthropic',
    baseUrl: 'https://api.anthropic.com/v1',
    variables: ['ANTHROPIC_API_KEY'],
    model: 'claude-sonnet-4-5',
  },
  { provider: 'openai', baseUrl: 'https://api.openai.com/v1', variables: ['OPENAI_API_KEY'], model: 'gpt-5.1' },
  {
    provider: 'google',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    variables: ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'],
    model: 'gemini-2.5-pro',
  },
]
const ALIASES: Readonly<Record<string, ProviderName>> = {
  ollama: 'ollama',
  local_llama: 'ollama',
  llama_cpp: 'llama_cpp',
  vllm: 'openai_compatible',
  openai_compatible: 'openai_compatible',
  openai: 'openai',
  anthropic: 'anthropic',
  google: 'google',
  bedrock: 'bedrock',
  vertex: 'vertex',
  azure: 'azure',
}
/** A policy may name a server that stands in for a model: with its endpoint, or it is refused. */
const OF_POLICIES: Readonly<Record<string, ProviderName>> = { ...ALIASES, mock: 'openai_compatible' }

const IN_PROCESS: Endpoint = { host: 'this process', loopback: true }

function preset(model: string, tier: string): ModelSpec {
  return {
    provider: 'ollama',
    model,
    baseUrl: OLLAMA_URL,
    apiKey: null,
    endpoint: { host: '127.0.0.1:11434', loopback: true },
    tier,
    source: PRESET,
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

/** `VP_MODEL`, else Ollama's usual port with the first preset; what is only offered comes with it. Throws `usage.flag` on a malformed setting. */
export function chooseModel(env: Environment, configured: ModelSpec | null): Choice {
  const setting = env['VP_MODEL']
  if (setting) return { kind: 'chosen', spec: specFromSetting(setting, env), consent: 'given' }
  const first = LOCAL_PRESETS[0]
  if (!first) throw new VpError('internal', 'no preset')
  return {
    kind: 'chosen',
    spec: configured ?? first,
    consent: configured && !staysHere(configured.endpoint) ? 'given' : 'not_needed',
  }
}

/** What every object has is no provider. */
const providerNamed = (names: Readonly<Record<string, ProviderName>>, name: string) => (Object.hasOwn(names, name) ? names[name] : undefined)

/** Models that a key in the environment would reach, none of which is used without a recorded yes. */
export function offeredModels(env: Environment): Choice[] {
  return VENDORS.flatMap((vendor) => {
    const variable = vendor.variables.find((name) => env[name])
    if (!variable) return []
    const spec = specFor(vendor.provider, vendor.model, vendor.baseUrl, env[variable] ?? null, `${variable} in the environment`)
    return [{ kind: 'offered' as const, spec, because: `${variable} is in the environment` }]
  })
}

function specFromSetting(setting: string, env: Environment): ModelSpec {
  const at = setting.search(/[:/]/)
  const named = providerNamed(ALIASES, at < 0 ? setting : setting.slice(0, at))
  // At an address it is llama.cpp's own server, which speaks chat completions.
  const provider = named === 'llama_cpp' && env['VP_MODEL_BASE_URL'] ? 'openai_compatible' : named
  const model = at < 0 ? '' : setting.slice(at + 1)
  if (!provider || !model)
    throw new VpError('usage.flag', `a model is named PROVIDER:MODEL, not ${JSON.stringify(setting.slice(0, 60))}`, {
      why: `providers: ${Object.keys(ALIASES).join(', ')}`,
      next: ['vp model set ollama:qwen2.5-coder:7b', 'export VP_MODEL=anthropic:NAME'],
    })
  if (isCloud(provider)) return cloudSpec(provider, { model, endpoint: env['VP_MODEL_BASE_URL'] }, env, 'VP_MODEL')
  if (provider === 'llama_cpp') return inProcess(model, 'VP_MODEL')
  const vendor = VENDORS.find((one) => one.provider === provider)
  const baseUrl = env['VP_MODEL_BASE_URL'] ?? vendor?.baseUrl ?? (provider === 'ollama' ? OLLAMA_URL : `${OLLAMA_URL}/v1`)
  const key = env['VP_MODEL_API_KEY'] ?? vendor?.variables.map((name) => env[name]).find(Boolean) ?? null
  return specFor(provider, model, baseUrl, key, 'VP_MODEL')
}

/** Where a model of a policy is reached, and with which key of the environment. Throws `usage.flag` on an endpoint that is no URL. */
export function specOf(named: NamedModel, tier: string, env: Environment, source: string): ModelSpec {
  const alias = providerNamed(OF_POLICIES, named.provider)
  if (!alias) throw new VpError('usage.flag', `vp cannot open ${named.provider} yet`, { next: ['vp model list'] })
  const provider = alias === 'llama_cpp' && named.endpoint !== undefined ? 'openai_compatible' : alias
  if (provider === 'llama_cpp') return { ...inProcess(named.model, source), tier }
  if (isCloud(provider)) return { ...cloudSpec(provider, named, env, source), tier }
  const vendor = VENDORS.find((one) => one.provider === provider)
  const baseUrl = named.endpoint ?? vendor?.baseUrl ?? (provider === 'ollama' ? OLLAMA_URL : `${OLLAMA_URL}/v1`)
  const key = vendor?.variables.map((name) => env[name]).find(Boolean) ?? null
  return { ...specFor(provider, named.model, baseUrl, key, source), tier }
}

function inProcess(model: string, source: string): ModelSpec {
  return { provider: 'llama_cpp', model, baseUrl: '', apiKey: null, endpoint: IN_PROCESS, tier: presetOf(model)?.tier ?? 'Local-Small', source }
}

type Cloud = 'bedrock' | 'vertex' | 'azure'
const isCloud = (provider: ProviderName): provider is Cloud => provider === 'bedrock' || provider === 'vertex' || provider === 'azure'

/** Where a cloud's door is: by its region, as its SDK documents the variables. Throws `usage.flag` where nobody says. */
function cloudSpec(
  provider: Cloud,
  named: { readonly model: string; readonly endpoint?: string | undefined; readonly region?: string | undefined; readonly project?: string | undefined },
  env: Environment,
  source: string,
): ModelSpec {
  const first = (...names: string[]) => names.map((name) => env[name]).find(Boolean)
  const region =
    named.region ?? (provider === 'vertex' ? first('GOOGLE_VERTEX_LOCATION') : provider === 'bedrock' ? first('AWS_REGION', 'AWS_DEFAULT_REGION') : undefined)
  const project = named.project ?? first('GOOGLE_VERTEX_PROJECT')
  const byRegion = {
    bedrock: `https://bedrock-runtime.${region}.amazonaws.com`,
    vertex: `https://${region === 'global' ? '' : `${region}-`}aiplatform.googleapis.com`,
    azure: undefined,
  }[provider]
  const baseUrl = named.endpoint ?? (provider === 'azure' ? first('AZURE_OPENAI_ENDPOINT') : region === undefined ? undefined : byRegion)
  const missing = { bedrock: 'AWS_REGION', vertex: 'GOOGLE_VERTEX_LOCATION and GOOGLE_VERTEX_PROJECT', azure: 'AZURE_OPENAI_ENDPOINT' }[provider]
  if (baseUrl === undefined || (region !== undefined && !/^[a-z0-9-]{1,40}$/.test(region)))
    throw new VpError('usage.flag', `${provider} has no place to go: set ${missing}, or endpoint or region in the policy`, { next: ['vp model list'] })
  const key =
    first('VP_MODEL_API_KEY') ??
    (provider === 'azure' ? first('AZURE_API_KEY', 'AZURE_OPENAI_API_KEY') : provider === 'bedrock' ? first('AWS_BEARER_TOKEN_BEDROCK') : undefined) ??
    null
  return {
    ...specFor(provider, named.model, baseUrl, key, source),
    ...(region === undefined ? {} : { region }),
    ...(provider === 'vertex' && project !== undefined ? { project } : {}),
  }
}

function specFor(provider: ProviderName, model: string, baseUrl: string, apiKey: string | null, source: string): ModelSpec {
  const at = endpointOf(baseUrl)
  const endpoint = at.loopback && !RUNS_HERE.has(provider) ? { ...at, gateway: true as const } : at
  return {
    provider,
    model,
    baseUrl: provider === 'ollama' ? baseUrl.replace(/(?:\/(?:v1|api))?\/*$/, '') : baseUrl.replace(/\/+$/, ''),
    apiKey,
    endpoint,
    tier: staysHere(endpoint) ? (presetOf(model)?.tier ?? 'Local-Small') : 'API-Premium',
    source,
  }
}

/** Behind an address of this machine these are its own models; a vendor's are the vendor's behind any address. */
const RUNS_HERE: ReadonlySet<ProviderName> = new Set(['ollama', 'llama_cpp', 'openai_compatible'])

/** Nothing leaves this machine and nobody sends a bill. */
export const staysHere = ({ loopback, gateway }: Endpoint): boolean => loopback && gateway !== true

/** In a tier of the policy: one that reaches out, or whose device is remote, has gateways at addresses of this machine. */
export function inTier(spec: ModelSpec, { network, device }: Pick<Tier, 'network' | 'device'>): ModelSpec {
  const reachesOut = network === 'outbound' || device === 'remote'
  return reachesOut && spec.endpoint.loopback && spec.provider !== 'llama_cpp' ? { ...spec, endpoint: { ...spec.endpoint, gateway: true } } : spec
}

/** Host and port, and whether it is this machine: 127.0.0.0/8, ::1 or the very name localhost. Throws `usage.flag`. */
export function endpointOf(baseUrl: string): Endpoint {
  let url: URL
  try {
    url = new URL(baseUrl)
  } catch {
    throw new VpError('usage.flag', `the address of a model is no URL: ${JSON.stringify(baseUrl.slice(0, 80))}`, {
      next: [`vp model set PROVIDER:MODEL --base-url ${OLLAMA_URL}`, `export VP_MODEL_BASE_URL=${OLLAMA_URL}`],
    })
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new VpError('usage.flag', `the address of a model is ${url.protocol}, not http or https`)
  const name = url.hostname
  const loopback = name === 'localhost' || name === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  return { host: url.host, loopback }
}
