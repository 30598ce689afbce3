/** Anthropic's API. */
import { createAnthropic } from '@ai-sdk/anthropic'
import type { ModelSpec } from '../choose.ts'
import type { Provider } from '../contract.ts'
import { adaptLanguageModel } from './adapter.ts'
import { eventStreamFetch } from './event-stream.ts'
import type { ProviderOptions } from './index.ts'

export function anthropic(spec: ModelSpec, options: ProviderOptions): Provider {
  const sdk = createAnthropic({ baseURL: spec.baseUrl, apiKey: spec.apiKey ?? '', fetch: eventStreamFetch(spec.endpoint, options.proxyEnv) })
  const cacheMark = options.caching === false ? undefined : { anthropic: { cacheControl: { type: 'ephemeral' } } }
  return adaptLanguageModel(sdk.languageModel(spec.model), { name: 'anthropic', endpoint: spec.endpoint, cacheMark, ...options })
}
