/**
 * The window that a server of chat completions says it has: each kind has its own place for it, and none is asked unless
 * somebody wants to know. Sources: `/props` of llama.cpp's server, `max_model_len` of vLLM, LM Studio's REST API v0.
 */
import type { IncomingMessage } from 'node:http'
import { jsonObject, wholeBody } from './bodies.ts'
import type { ModelSpec } from '../choose.ts'
import type { Post } from './http.ts'

/** Tokens, or null where nothing answers with a number. Never throws: it is only the server's own word. */
export async function saidWindow(
  post: (post: Post) => Promise<IncomingMessage>,
  { baseUrl, endpoint, model }: Pick<ModelSpec, 'baseUrl' | 'endpoint' | 'model'>,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number | null> {
  const root = baseUrl.replace(/\/v1$/, '')
  const ask = async (url: string): Promise<unknown> => {
    try {
      const response = await post({ url, headers, signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]) })
      return response.statusCode === 200 ? jsonObject(await wholeBody(response), endpoint) : null
    } catch {
      return null // not this kind of server, or none at all
    }
  }
  for (const [url, read] of [
    [`${root}/props`, (answer: Answer) => answer.default_generation_settings?.n_ctx],
    [`${baseUrl}/models`, (answer: Answer) => row(answer, model)?.max_model_len],
    [`${root}/api/v0/models`, (answer: Answer) => row(answer, model)?.loaded_context_length],
  ] as const) {
    const tokens = read(((await ask(url)) ?? {}) as Answer)
    if (typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens > 0) return tokens
  }
  return null
}

interface Answer {
  readonly default_generation_settings?: { readonly n_ctx?: unknown } | null
  readonly data?: unknown
}
interface Row {
  readonly id?: unknown
  readonly max_model_len?: unknown
  readonly loaded_context_length?: unknown
}

function row({ data }: Answer, model: string): Row | undefined {
  return Array.isArray(data) ? (data as (Row | null)[]).find((one): one is Row => one?.id === model) : undefined
}
