/** OpenAI's own API. */
import { createOpenAI } from '@ai-sdk/openai'
import type { ModelSpec } from '../choose.ts'
import type { OnSent, Provider } from '../contract.ts'
import { adaptLanguageModel } from './adapter.ts'
import { eventStreamFetch } from './event-stream.ts'
import type { ProviderOptions } from './index.ts'

export function openai(spec: ModelSpec, options: ProviderOptions): Provider {
  const fetchFor = eventStreamFetch(spec.endpoint, options.proxyEnv)
  const modelFor = (onSent?: OnSent) => createOpenAI({ baseURL: spec.baseUrl, apiKey: spec.apiKey ?? '', fetch: fetchFor(onSent) }).chat(spec.model)
  return adaptLanguageModel(modelFor, { name: 'openai', model: spec.model, endpoint: spec.endpoint, ...options })
}
