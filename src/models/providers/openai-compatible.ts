/**
 * Anything that speaks OpenAI's chat completions: Ollama, llama.cpp's server, vLLM, LM Studio, gateways. Servers
 * that answer a streaming request with one JSON document are understood, others than these two are refused.
 */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { VpError } from '../../core/errors.ts'
import type { ModelSpec } from '../choose.ts'
import type { Provider } from '../contract.ts'
import { adaptLanguageModel } from './adapter.ts'
import type { ProviderOptions } from './index.ts'

export function openaiCompatible(spec: ModelSpec, options: ProviderOptions): Provider {
  const sdk = createOpenAICompatible({
    name: 'openai_compatible',
    baseURL: spec.baseUrl,
    includeUsage: true,
    fetch: async (input, init) => asEventStream(await fetch(input, init), spec.endpoint.host),
    ...(spec.apiKey ? { apiKey: spec.apiKey } : {}),
  })
  return adaptLanguageModel(sdk.chatModel(spec.model), {
    name: 'openai_compatible',
    endpoint: spec.endpoint,
    ...options,
  })
}

async function asEventStream(response: Response, host: string): Promise<Response> {
  if (!response.ok) return response
  const type = response.headers.get('content-type') ?? ''
  if (type.includes('text/event-stream')) return response
  if (!type.includes('json'))
    throw new VpError('model.protocol', `${host} answered ${type || 'without a content type'}, not as a model does`, {
      next: ['check VP_MODEL_BASE_URL'],
    })
  const whole: unknown = await response.json().catch(() => null)
  const chunk = chunkOf(whole)
  if (!chunk)
    throw new VpError('model.protocol', `${host} answered JSON that is not a chat completion`, {
      next: ['check VP_MODEL_BASE_URL'],
    })
  return new Response(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`, {
    headers: { 'content-type': 'text/event-stream' },
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
