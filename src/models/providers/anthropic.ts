/** Anthropic's API. */
import { createAnthropic } from '@ai-sdk/anthropic'
import type { ModelSpec } from '../choose.ts'
import type { OnSent, Provider } from '../contract.ts'
import { adaptLanguageModel } from './adapter.ts'
import { eventStreamFetch } from './event-stream.ts'
import type { ProviderOptions } from './index.ts'

export function anthropic(spec: ModelSpec, options: ProviderOptions): Provider {
  const fetchFor = eventStreamFetch(spec.endpoint, options.proxyEnv)
  const modelFor = (onSent?: OnSent) => createAnthropic({ baseURL: spec.baseUrl, apiKey: spec.apiKey ?? '', fetch: fetchFor(onSent) }).languageModel(spec.model)
  const cacheMark = options.caching === false ? undefined : { anthropic: { cacheControl: { type: 'ephemeral' } } }
  return adaptLanguageModel(modelFor, { name: 'anthropic', model: spec.model, endpoint: spec.endpoint, cacheMark, ...options })
}
