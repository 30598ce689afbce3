/** Google's Gemini API. */
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import type { ModelSpec } from '../choose.ts'
import type { OnSent, Provider } from '../contract.ts'
import { adaptLanguageModel } from './adapter.ts'
import { eventStreamFetch } from './event-stream.ts'
import type { ProviderOptions } from './index.ts'

export function google(spec: ModelSpec, options: ProviderOptions): Provider {
  const fetchFor = eventStreamFetch(spec.endpoint, options.proxyEnv)
  const modelFor = (onSent?: OnSent) =>
    createGoogleGenerativeAI({ baseURL: spec.baseUrl, apiKey: spec.apiKey ?? '', fetch: fetchFor(onSent) }).languageModel(spec.model)
  return adaptLanguageModel(modelFor, { name: 'google', model: spec.model, endpoint: spec.endpoint, ...options })
}
