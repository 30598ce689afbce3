/**
 * Anything that speaks OpenAI's chat completions: Ollama, llama.cpp's server, vLLM, LM Studio, gateways. Servers
 * that answer a streaming request with one JSON document are understood, others than these two are refused.
 */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { ModelSpec } from '../choose.ts'
import type { Provider } from '../contract.ts'
import { adaptLanguageModel } from './adapter.ts'
import { eventStreamFetch } from './event-stream.ts'
import type { ProviderOptions } from './index.ts'

export function openaiCompatible(spec: ModelSpec, options: ProviderOptions): Provider {
  const sdk = createOpenAICompatible({
    name: 'openai_compatible',
    baseURL: spec.baseUrl,
    includeUsage: true,
    fetch: eventStreamFetch(spec.endpoint.host, chunkOf),
    ...(spec.apiKey ? { apiKey: spec.apiKey } : {}),
  })
  return adaptLanguageModel(sdk.chatModel(spec.model), {
    name: 'openai_compatible',
    endpoint: spec.endpoint,
    ...options,
  })
}

interface Completion {
  readonly choices?: readonly {
    readonly message?: { readonly tool_calls?: readonly object[] }
    readonly finish_reason?: string
  }[]
}

/** A whole completion in the form of the only chunk of a stream. */
function chunkOf(whole: unknown): object | null {
  const completion = whole as Completion | null
  const choice = completion?.choices?.[0]
  if (!completion || !choice?.message) return null
  const { message } = choice
  const calls = message.tool_calls?.map((call, index) => ({ index, ...call }))
  return {
    ...completion,
    object: 'chat.completion.chunk',
    choices: [
      {
        index: 0,
        finish_reason: choice.finish_reason ?? 'stop',
        delta: { ...message, ...(calls ? { tool_calls: calls } : {}) },
      },
    ],
  }
}
