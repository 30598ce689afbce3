/**
 * The table of providers: a new one is one file here and one line below. Each is loaded only when chosen, since
 * none is needed to look at a run.
 */
import { isVpError, VpError } from '../../core/errors.ts'
import type { Provider } from '../contract.ts'
import type { ModelSpec, ProviderName } from '../choose.ts'
import type { ProxyEnv } from './http.ts'
import type { InProcess } from './llama-cpp.ts'

export interface ProviderOptions {
  readonly stallMs: number
  /** Where HTTPS_PROXY, HTTP_PROXY and NO_PROXY are looked up; never for a model on this machine. */
  readonly proxyEnv?: ProxyEnv
  /** Instead of the window that is known; `stock`: none is asked for. For measuring. */
  readonly window?: number | 'stock' | undefined
  /** How calls were found in the words of an answer. */
  readonly onDialects?: ((dialects: readonly string[]) => void) | undefined
  /** false: prompts are not marked for the server's cache, where that is ours to say. */
  readonly caching?: boolean | undefined
  /** Of llama.cpp in this process. */
  readonly inProcess?: InProcess | undefined
  /** The window that was measured of the model of this digest ('' where the server tells none) at this endpoint, or null. */
  readonly measuredWindow?: ((digest: string) => Promise<number | null>) | undefined
}

type MakeProvider = (spec: ModelSpec, options: ProviderOptions) => Provider | Promise<Provider>

const PROVIDERS: Readonly<Record<ProviderName, () => Promise<MakeProvider>>> = {
  ollama: async () => (await import('./ollama.ts')).ollama,
  llama_cpp: async () => (await import('./llama-cpp.ts')).llamaCpp,
  openai_compatible: async () => (await import('./openai-compatible.ts')).openaiCompatible,
  openai: async () => (await import('./openai.ts')).openai,
  anthropic: async () => (await import('./anthropic.ts')).anthropic,
  google: async () => (await import('./google.ts')).google,
  bedrock: async () => (await import('./peers.ts')).bedrock,
  vertex: async () => (await import('./peers.ts')).vertex,
  azure: async () => (await import('./peers.ts')).azure,
}

export async function openProvider(spec: ModelSpec, options: ProviderOptions): Promise<Provider> {
  const provider = await (await PROVIDERS[spec.provider]())(spec, options)
  return spec.apiKey === null ? provider : withoutKey(provider, spec.apiKey)
}

/** A server that refuses a key may say it back: no error carries it on. */
function withoutKey(provider: Provider, key: string): Provider {
  const clean = (text: string) => text.replaceAll(key, '[REDACTED:API_KEY]')
  return {
    ...provider,
    answer: (...call) =>
      provider.answer(...call).catch((thrown: unknown) => {
        if (!isVpError(thrown) || key.length < 4 || !`${thrown.message} ${thrown.details.why ?? ''}`.includes(key)) throw thrown
        throw new VpError(thrown.code, clean(thrown.message), { ...thrown.details, ...(thrown.details.why ? { why: clean(thrown.details.why) } : {}) })
      }),
  }
}
