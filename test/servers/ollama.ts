/**
 * An Ollama as it is on the wire: `/api/chat`, `/api/show`, `/api/tags`, `/api/pull`. It counts what it reads, cuts what does
 * not fit its window and says nothing of it unless it is asked not to. Source: docs/api.md, server/prompt.go and
 * server/routes.go of ollama/ollama; older ones do not know `truncate`.
 */
import type { ServerResponse } from 'node:http'
import type { Json } from '../../src/core/json.ts'
import { json, serve, tokensOf, type Served } from './serve.ts'

export interface OllamaTestModel {
  readonly name: string
  readonly digest?: string
  readonly architecture?: string
  readonly contextLength?: number
  /** null: a server that does not tell. */
  readonly capabilities?: readonly string[] | null
  readonly parameters?: string
  readonly remoteHost?: string
}

export interface OllamaChat {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content: string; readonly tool_calls?: readonly object[]; readonly tool_name?: string }[]
  readonly tools?: readonly { readonly function: { readonly name: string } }[]
  readonly truncate?: boolean
  readonly shift?: boolean
  readonly options?: { readonly num_ctx?: number; readonly num_predict?: number; readonly temperature?: number }
}

export interface OllamaSays {
  readonly text?: string
  readonly thinking?: string
  readonly calls?: readonly { readonly name: string; readonly arguments: Json }[]
  readonly reason?: string
  /** Lines that stand in the place of the end. */
  readonly instead?: string
}

/** How a pull goes: whole, an error after so many bytes, or a connection that breaks there once. */
export interface OllamaPull {
  readonly size: number
  readonly error?: string
  readonly breaksAt?: number
}

export interface OllamaOptions {
  readonly models: readonly OllamaTestModel[]
  /** Tokens without a `num_ctx`; 4,096 on small machines. */
  readonly stockTokens?: number
  /** The most that it gives, whatever is asked; absent: what is asked. */
  readonly mostTokens?: number
  /** From before `truncate`: it always cuts. */
  readonly isOld?: boolean
  /** What is left of a prompt that is cut: the window, or half of it (ollama/ollama#17427). */
  readonly keeps?: 'window' | 'half'
  /** `seen` is what the model reads, after any cut. */
  readonly says?: (chat: OllamaChat, seen: string) => OllamaSays
  readonly pulls?: Readonly<Record<string, OllamaPull>>
}

export interface OllamaServer extends Served {
  readonly chats: readonly OllamaChat[]
}

export async function startOllama(options: OllamaOptions): Promise<OllamaServer> {
  const chats: OllamaChat[] = []
  const pulled = new Map<string, number>()
  const models = [...options.models]
  const served = await serve((came, response) => {
    switch (`${came.method} ${came.path}`) {
      case 'GET /api/tags':
        return json(response, 200, { models: models.map(listed) })
      case 'GET /api/version':
        return json(response, 200, { version: options.isOld ? '0.5.1' : '0.13.0' })
      case 'POST /api/show':
        return show(response, find(models, (JSON.parse(came.body) as { model: string }).model), came.body)
      case 'POST /api/pull':
        return pull(response, (JSON.parse(came.body) as { model: string }).model)
      case 'POST /api/chat': {
        const chat = JSON.parse(came.body) as OllamaChat
        chats.push(chat)
        return answer(response, chat)
      }
      default:
        response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found')
    }
  })
  return { ...served, chats }

  function answer(response: ServerResponse, chat: OllamaChat): void {
    const model = find(models, chat.model)
    if (!model) return json(response, 404, { error: `model '${chat.model}' not found` })
    if (chat.tools && model.capabilities !== undefined && !model.capabilities?.includes('tools'))
      return json(response, 400, { error: `registry.ollama.ai/library/${chat.model} does not support tools` })
    const window = Math.min(chat.options?.num_ctx ?? options.stockTokens ?? 4096, options.mostTokens ?? Infinity, model.contextLength ?? 32_768)
    const read = promptFor(chat, window, options)
    if (read === null) return json(response, 400, { error: 'the input length exceeds the context length' })
    const said = options.says?.(chat, read.join('')) ?? { text: 'ok' }
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const line = (value: object) => response.write(`${JSON.stringify({ model: chat.model, created_at: '2026-11-29T12:00:00.182Z', ...value })}\n`)
    const message = (more: object) => line({ message: { role: 'assistant', content: '', ...more }, done: false })
    if (said.thinking) message({ thinking: said.thinking })
    for (const content of said.text?.match(/[^]{1,24}/g) ?? []) message({ content })
    for (const [index, call] of (said.calls ?? []).entries()) message({ tool_calls: [{ id: `call_${index}x`, function: { index, ...call } }] })
    if (said.instead !== undefined) return void response.end(said.instead)
    const out = tokensOf(`${said.thinking ?? ''}${said.text ?? ''}${JSON.stringify(said.calls ?? '')}`).length
    line({
      message: { role: 'assistant', content: '' },
      done_reason: said.reason ?? 'stop',
      done: true,
      total_duration: 182_242_375,
      load_duration: 41_295_167,
      prompt_eval_count: read.length,
      prompt_eval_duration: 24_573_166,
      eval_count: out,
      eval_duration: 115_959_084,
    })
    response.end()
  }

  function pull(response: ServerResponse, name: string): void {
    const plan = options.pulls?.[name]
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const line = (value: object) => response.write(`${JSON.stringify(value)}\n`)
    line({ status: 'pulling manifest' })
    if (!plan) return void response.end('{"error":"pull model manifest: file does not exist"}\n')
    const digest = `sha256:${'b'.repeat(64)}`
    for (let completed = pulled.get(name) ?? 0; completed <= plan.size; completed += plan.size / 4) {
      line({ status: `pulling ${'b'.repeat(12)}`, digest, total: plan.size, completed })
      if (plan.breaksAt !== undefined && completed >= plan.breaksAt && !pulled.has(name)) {
        pulled.set(name, completed)
        return void setTimeout(() => response.destroy(), 20)
      }
    }
    if (plan.error !== undefined) return void response.end(`${JSON.stringify({ error: plan.error })}\n`)
    for (const status of ['verifying sha256 digest', 'writing manifest', 'success']) line({ status })
    models.push({ name })
    response.end()
  }
}

const full = (name: string): string => (name.includes(':') ? name : `${name}:latest`)
const find = (models: readonly OllamaTestModel[], name: string) => models.find((one) => full(one.name) === full(name))

function listed({ name, digest = 'd'.repeat(64) }: OllamaTestModel): object {
  return { name: full(name), model: full(name), modified_at: '2026-11-04T17:37:44Z', size: 4_683_075_271, digest, details: { format: 'gguf', family: 'qwen2' } }
}

function show(response: ServerResponse, model: OllamaTestModel | undefined, body: string): void {
  if (!model) return json(response, 404, { error: `model '${(JSON.parse(body) as { model: string }).model}' not found` })
  const { architecture = 'qwen2', contextLength = 32_768, capabilities = ['completion', 'tools'], parameters, remoteHost } = model
  json(response, 200, {
    modelfile: '# Modelfile',
    ...(parameters === undefined ? {} : { parameters }),
    template: '{{ .Prompt }}',
    details: { format: 'gguf', family: architecture, parameter_size: '7.6B', quantization_level: 'Q4_K_M' },
    model_info: { 'general.architecture': architecture, [`${architecture}.context_length`]: contextLength, [`${architecture}.block_count`]: 28 },
    ...(capabilities === null ? {} : { capabilities }),
    ...(remoteHost === undefined ? {} : { remote_host: remoteHost, remote_model: model.name }),
  })
}

/** What is read of a prompt, token by token; null: refused. Oldest messages go first, never the system's or the last. */
function promptFor(chat: OllamaChat, window: number, { isOld, keeps = 'window' }: OllamaOptions): string[] | null {
  const render = (messages: OllamaChat['messages']) =>
    tokensOf(JSON.stringify(chat.tools ?? '') + messages.map((one) => `${one.role}\n${one.content}\n`).join(''))
  const whole = render(chat.messages)
  if (whole.length <= window) return whole
  if (!isOld && chat.truncate === false) return null
  for (let from = 1; from < chat.messages.length; from++) {
    const left = render([...chat.messages.slice(0, from).filter(({ role }) => role === 'system'), ...chat.messages.slice(from)])
    if (left.length <= window) return left
  }
  return whole.slice(-(keeps === 'half' ? Math.floor(window / 2) : window))
}
