/**
 * llama.cpp's server, vLLM and LM Studio as they are on the wire: the same chat completions, and beside them what each says
 * of itself, how it refuses, and what it sends that the others do not. Sources: tools/server/README.md of ggml-org/llama.cpp
 * and its pull request 15780; vLLM's OpenAI-compatible server and tool-calling pages; LM Studio's REST API v0 page and its
 * tracker's issues 237 and 546.
 */
import type { ServerResponse } from 'node:http'
import type { Json } from '../../src/core/json.ts'
import { json, serve, tokensOf, type Served } from './serve.ts'

export type ChatServerKind = 'llama.cpp' | 'vllm' | 'lm_studio'

export interface ChatRequest {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content: string | null; readonly tool_calls?: readonly object[] }[]
  readonly tools?: readonly object[]
  readonly max_tokens?: number
}

export interface ChatSays {
  readonly text?: string
  readonly think?: string
  readonly calls?: readonly { readonly name: string; readonly arguments: Json }[]
  readonly reason?: string
}

export interface ChatServerOptions {
  readonly model: string
  readonly window: number
  /** What the model was trained for, where the server tells both. */
  readonly trained?: number
  /** Started without `--jinja`, or without `--enable-auto-tool-choice`. */
  readonly hasNoTools?: boolean
  /** Still loading for so many requests. */
  readonly loads?: number
  readonly says?: (request: ChatRequest, seen: string) => ChatSays
}

export interface ChatServer extends Served {
  readonly baseUrl: string
  readonly chats: readonly ChatRequest[]
}

export async function startChatServer(kind: ChatServerKind, options: ChatServerOptions): Promise<ChatServer> {
  const chats: ChatRequest[] = []
  let loading = options.loads ?? 0
  const served = await serve((came, response) => {
    switch (`${came.method} ${came.path}`) {
      case 'GET /v1/models':
        return json(response, 200, { object: 'list', data: [listed(kind, options)] })
      case 'GET /props':
        return kind === 'llama.cpp' ? json(response, 200, props(options)) : notFound(response, kind)
      case 'GET /api/v0/models':
        return kind === 'lm_studio' ? json(response, 200, { object: 'list', data: [loaded(options)] }) : notFound(response, kind)
      case 'POST /v1/chat/completions': {
        if (loading-- > 0) return json(response, 503, { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } })
        const chat = JSON.parse(came.body) as ChatRequest
        chats.push(chat)
        return answer(kind, options, chat, response)
      }
      default:
        return notFound(response, kind)
    }
  })
  return { ...served, baseUrl: `${served.url}/v1`, chats }
}

function notFound(response: ServerResponse, kind: ChatServerKind): void {
  if (kind === 'vllm') return json(response, 404, { detail: 'Not Found' })
  if (kind === 'llama.cpp') return json(response, 404, { error: { code: 404, message: 'File Not Found', type: 'not_found_error' } })
  json(response, 200, { error: 'Unexpected endpoint or method. (GET /props). Returning 200 anyway' })
}

function listed(kind: ChatServerKind, { model, window, trained }: ChatServerOptions): object {
  const entry = {
    id: model,
    object: 'model',
    created: 1_764_400_000,
    owned_by: { 'llama.cpp': 'llamacpp', vllm: 'vllm', lm_studio: 'organization_owner' }[kind],
  }
  if (kind === 'vllm') return { ...entry, root: model, parent: null, max_model_len: window }
  return kind === 'llama.cpp' ? { ...entry, meta: { vocab_type: 2, n_vocab: 152_064, n_ctx_train: trained ?? window, n_embd: 3584 } } : entry
}

function props({ window, model }: ChatServerOptions): object {
  return {
    default_generation_settings: { id: 0, n_ctx: window, speculative: false },
    total_slots: 1,
    model_path: model,
    chat_template: '{{ messages }}',
    build_info: 'b7100',
  }
}

function loaded({ model, window, trained }: ChatServerOptions): object {
  return { id: model, object: 'model', type: 'llm', arch: 'qwen2', state: 'loaded', max_context_length: trained ?? window, loaded_context_length: window }
}

function answer(kind: ChatServerKind, options: ChatServerOptions, chat: ChatRequest, response: ServerResponse): void {
  if (options.hasNoTools && chat.tools) {
    if (kind === 'llama.cpp') return json(response, 500, { error: { code: 500, message: 'tools param requires --jinja flag', type: 'server_error' } })
    const message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    if (kind === 'vllm') return json(response, 400, { object: 'error', message, type: 'BadRequestError', param: null, code: 400 })
  }
  if (kind === 'vllm' && chat.model !== options.model)
    return json(response, 404, { object: 'error', message: `The model \`${chat.model}\` does not exist.`, type: 'NotFoundError', param: null, code: 404 })
  const prompt =
    JSON.stringify(chat.tools ?? '') + chat.messages.map((one) => `${one.role}\n${one.content ?? ''}${JSON.stringify(one.tool_calls ?? '')}\n`).join('')
  const read = tokensOf(prompt).length
  if (read + (kind === 'vllm' ? (chat.max_tokens ?? 0) : 0) > options.window) return refuse(kind, options, chat, read, response)
  const said = options.says?.(chat, prompt) ?? { text: 'ok' }
  const base = {
    id: 'chatcmpl-7',
    object: 'chat.completion.chunk',
    created: 1_764_400_000,
    model: chat.model,
    ...(kind === 'llama.cpp' ? { system_fingerprint: 'b7100' } : {}),
  }
  const event = (value: object) => response.write(`data: ${JSON.stringify({ ...base, ...value })}\n\n`)
  const delta = (value: object, finish_reason: string | null = null) => event({ choices: [{ index: 0, delta: value, logprobs: null, finish_reason }] })
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  delta({ role: 'assistant', content: kind === 'llama.cpp' ? null : '' })
  if (said.think) delta({ [kind === 'vllm' ? 'reasoning' : 'reasoning_content']: said.think })
  for (const content of said.text?.match(/[^]{1,24}/g) ?? []) delta({ content })
  for (const [index, { name, arguments: args }] of (said.calls ?? []).entries()) {
    delta({ tool_calls: [{ index, id: `call-${index}`, type: 'function', function: { name, arguments: '' } }] })
    for (const part of JSON.stringify(args).match(/[^]{1,9}/g) ?? []) delta({ tool_calls: [{ index, function: { arguments: part } }] })
  }
  const out = tokensOf(`${said.think ?? ''}${said.text ?? ''}${JSON.stringify(said.calls ?? '')}`).length
  delta({}, said.reason ?? (said.calls?.length ? 'tool_calls' : 'stop'))
  const usage = { prompt_tokens: read, completion_tokens: out, total_tokens: read + out }
  const timings = { cache_n: 0, prompt_n: read, prompt_ms: 30.9, predicted_n: out, predicted_ms: 661.1, predicted_per_second: 52.9 }
  event({ choices: [], usage, ...(kind === 'llama.cpp' ? { timings } : {}) })
  response.end('data: [DONE]\n\n')
}

function refuse(kind: ChatServerKind, { window }: ChatServerOptions, chat: ChatRequest, read: number, response: ServerResponse): void {
  switch (kind) {
    case 'llama.cpp': {
      const message = 'the request exceeds the available context size. try increasing the context size or enable context shift'
      return json(response, 400, { error: { code: 400, message, type: 'exceed_context_size_error', n_prompt_tokens: read, n_ctx: window } })
    }
    case 'vllm': {
      const asked = chat.max_tokens ?? 0
      const message = `This model's maximum context length is ${window} tokens. However, you requested ${read + asked} tokens (${read} in the messages, ${asked} in the completion). Please reduce the length of the messages or completion.`
      return json(response, 400, { object: 'error', message, type: 'BadRequestError', param: null, code: 400 })
    }
    case 'lm_studio': {
      const message = `Trying to keep the first ${read} tokens when context the overflows. However, the model is loaded with context length of only ${window} tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input`
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`event: error\ndata: ${JSON.stringify({ error: { message } })}\n\n`)
    }
  }
}
