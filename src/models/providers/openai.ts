/** OpenAI's own API. */
import { createOpenAI } from '@ai-sdk/openai'
import type { ModelSpec } from '../choose.ts'
import type { Provider } from '../contract.ts'
import { adaptLanguageModel } from './adapter.ts'
import { eventStreamFetch } from './event-stream.ts'
import type { ProviderOptions } from './index.ts'

export function openai(spec: ModelSpec, options: ProviderOptions): Provider {
  const sdk = createOpenAI({ baseURL: spec.baseUrl, apiKey: spec.apiKey ?? '', fetch: eventStreamFetch(spec.endpoint, options.proxyEnv) })
  return adaptLanguageModel(sdk.chat(spec.model), { name: 'openai', endpoint: spec.endpoint, ...options })
}
