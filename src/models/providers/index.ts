/**
 * The table of providers: a new one is one file here and one line below. Each is loaded only when chosen, since
 * none is needed to look at a run.
 */
import type { Provider } from '../contract.ts'
import type { ModelSpec, ProviderName } from '../choose.ts'

export interface ProviderOptions {
  readonly stallMs: number
}

type MakeProvider = (spec: ModelSpec, options: ProviderOptions) => Provider

const PROVIDERS: Readonly<Record<ProviderName, () => Promise<MakeProvider>>> = {
  openai_compatible: async () => (await import('./openai-compatible.ts')).openaiCompatible,
  openai: async () => (await import('./openai.ts')).openai,
  anthropic: async () => (await import('./anthropic.ts')).anthropic,
  google: async () => (await import('./google.ts')).google,
}

export async function openProvider(spec: ModelSpec, options: ProviderOptions): Promise<Provider> {
  return (await PROVIDERS[spec.provider]())(spec, options)
}
