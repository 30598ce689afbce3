/** Google's Gemini API. */
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import type { ModelSpec } from '../choose.ts'
import type { Provider } from '../contract.ts'
import { adaptLanguageModel } from './adapter.ts'
import { eventStreamFetch } from './event-stream.ts'
import type { ProviderOptions } from './index.ts'

export function google(spec: ModelSpec, options: ProviderOptions): Provider {
  const sdk = createGoogleGenerativeAI({ baseURL: spec.baseUrl, apiKey: spec.apiKey ?? '', fetch: eventStreamFetch(spec.endpoint, options.proxyEnv) })
  return adaptLanguageModel(sdk.languageModel(spec.model), { name: 'google', endpoint: spec.endpoint, ...options })
}
