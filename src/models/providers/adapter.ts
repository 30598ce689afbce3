/**
 * Any AI SDK language model (specification v4) as our provider: streams, watches for stalls, maps every way it
 * can end to one typed outcome. No retries here: see `retry.ts`.
 */
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Message, LanguageModelV4StreamPart, LanguageModelV4Usage } from '@ai-sdk/provider'
import { isVpError, VpError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import type { CallPlace, Endpoint, Message, ModelAnswer, ModelRequest, ModelUsage, Provider, ToolCall } from '../contract.ts'
import { estimateTokens } from '../prices.ts'

export interface AdapterOptions {
  readonly name: string
  readonly endpoint: Endpoint
  /** No news from the server for this long ends the call with `model.stalled`. */
  readonly stallMs: number
}

export function adaptLanguageModel(model: LanguageModelV4, options: AdapterOptions): Provider {
  return {
    name: options.name,
    model: model.modelId,
    endpoint: options.endpoint,
    answer: (request, place, signal, onProgress) => ask(model, options, request, place, signal, onProgress),
  }
}

async function ask(
  model: LanguageModelV4,
  options: AdapterOptions,
  request: ModelRequest,
  place: CallPlace,
  signal: AbortSignal,
  onProgress?: (tokens: number) => void,
): Promise<ModelAnswer> {
  const stall = new AbortController()
  let timer = setTimeout(() => stall.abort(), options.stallMs)
  const news = () => {
    clearTimeout(timer)
    timer = setTimeout(() => stall.abort(), options.stallMs)
  }
  let heard = false
  try {
    const { stream } = await model.doStream({
      ...callOptions(request),
      abortSignal: AbortSignal.any([signal, stall.signal]),
    })
    const collected = await collect(stream, () => ((heard = true), news()), onProgress)
    return toAnswer(collected, request, place)
  } catch (error) {
    if (signal.aborted) throw new VpError('cancelled', 'the model call was cancelled', { cause: error })
    if (stall.signal.aborted)
      throw new VpError('model.stalled', `the model said nothing for ${Math.round(options.stallMs / 1000)}s`, {
        cause: error,
        next: ['vp resume'],
      })
    throw typed(error, heard, options.endpoint)
  } finally {
    clearTimeout(timer)
  }
}

function callOptions(request: ModelRequest): LanguageModelV4CallOptions {
  return {
    prompt: request.messages.map(toPrompt),
    maxOutputTokens: request.max_tokens,
    temperature: request.temperature,
    ...(request.tools.length > 0
      ? {
          tools: request.tools.map((tool) => ({
            type: 'function' as const,
            name: tool.name,
            description: tool.description,
            inputSchema: tool.schema as object,
          })),
        }
      : {}),
  }
}

function toPrompt(message: Message): LanguageModelV4Message {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.text }
    case 'user':
      return { role: 'user', content: [{ type: 'text', text: message.text }] }
    case 'assistant':
      return {
        role: 'assistant',
        content: [
          ...(message.text === '' ? [] : [{ type: 'text' as const, text: message.text }]),
          ...message.calls.map((call) => ({
            type: 'tool-call' as const,
            toolCallId: call.id,
            toolName: call.name,
            input: call.arguments,
          })),
        ],
      }
    case 'tool':
      return {
        role: 'tool',
        content: [
          {
            type: 'tool-result',
            toolCallId: message.call_id,
            toolName: message.name,
            output: { type: 'text', value: message.text },
          },
        ],
      }
  }
}

interface Collected {
  text: string
  think: string
  calls: { name: string; input: string }[]
  finish: { unified: string; raw: string | undefined } | null
  usage: LanguageModelV4Usage | null
}

async function collect(stream: ReadableStream<LanguageModelV4StreamPart>, news: () => void, onProgress?: (tokens: number) => void): Promise<Collected> {
  const all: Collected = { text: '', think: '', calls: [], finish: null, usage: null }
  let size = 0
  for await (const part of stream) {
    news()
    switch (part.type) {
      case 'text-delta':
        all.text += part.delta
        break
      case 'reasoning-delta':
        all.think += part.delta
        break
      case 'tool-call':
        all.calls.push({ name: part.toolName, input: part.input })
        break
      case 'finish':
        all.finish = part.finishReason
        all.usage = part.usage
        break
      case 'error':
        throw part.error
      default:
    }
    if ('delta' in part && typeof part.delta === 'string') onProgress?.(Math.ceil((size += part.delta.length) / 3.6))
    if (size > 4_000_000) throw new VpError('model.protocol', 'the model answered more than 4 MB')
  }
  return all
}

function toAnswer(all: Collected, request: ModelRequest, place: CallPlace): ModelAnswer {
  const finish = all.finish
  if (!finish || finish.unified === 'interrupted' || (finish.unified === 'other' && finish.raw === undefined))
    throw new VpError('model.cut', 'the answer stopped before its end', {
      why: `${all.text.length} characters and ${all.calls.length} calls had come`,
    })
  if (finish.unified === 'content-filter') throw new VpError('model.refused', 'the model refused the request')
  if (finish.unified === 'error') throw new VpError('model.server', 'the model ended with an error')
  const calls = all.calls.map((call, index): ToolCall => ({
    id: `t${place.turn}c${index + 1}`,
    name: call.name,
    arguments: parseArguments(call.input),
  }))
  const reported = all.usage?.inputTokens.total !== undefined && all.usage.outputTokens.total !== undefined
  return {
    text: all.text,
    calls,
    finish: calls.length > 0 ? 'tool_calls' : finish.unified === 'length' ? 'length' : finish.unified === 'stop' ? 'stop' : 'other',
    usage: reported && all.usage ? usageOf(all.usage) : estimatedUsage(request, all),
    usage_source: reported ? 'provider' : 'estimated',
  }
}

function parseArguments(input: string): ToolCall['arguments'] {
  try {
    return JSON.parse(input === '' ? '{}' : input) as Json
  } catch {
    return { malformed: input.slice(0, 2000) }
  }
}

function usageOf(usage: LanguageModelV4Usage): ModelUsage {
  const whole = (value: number | undefined) => (value !== undefined && Number.isSafeInteger(value) && value >= 0 ? value : 0)
  const think = whole(usage.outputTokens.reasoning)
  return {
    tokens_in: whole(usage.inputTokens.total),
    tokens_out: Math.max(0, whole(usage.outputTokens.total) - think),
    tokens_think: think,
    tokens_cached: whole(usage.inputTokens.cacheRead),
    tokens_tool_use: 0,
  }
}

function estimatedUsage(request: ModelRequest, all: Collected): ModelUsage {
  const out = all.text + all.calls.map((call) => call.name + call.input).join('')
  return {
    tokens_in: estimateTokens(JSON.stringify(request)),
    tokens_out: estimateTokens(out),
    tokens_think: estimateTokens(all.think),
    tokens_cached: 0,
    tokens_tool_use: 0,
  }
}

interface ApiError {
  readonly statusCode?: number | undefined
  /** Of what a server says in the middle of a stream: often the status it would have answered with. */
  readonly code?: unknown
  readonly responseHeaders?: Record<string, string>
  readonly message: string
}

/** HTTP and transport failures as codes; the provider's own hint on when to come back is kept. */
function typed(error: unknown, heard: boolean, endpoint: Endpoint): VpError {
  if (isVpError(error)) return error
  const api = error as ApiError
  const status = api.statusCode ?? (typeof api.code === 'number' && api.code >= 400 && api.code < 600 ? api.code : undefined)
  const message = firstLine(api.message ?? String(error))
  const at = `${endpoint.host} answered ${status}: ${message}`
  if (status === 401 || status === 403) return new VpError('model.auth', at, { cause: error, next: ['check the API key in the environment', 'vp doctor'] })
  if (status === 429 || status === 529)
    return new VpError('model.rate_limited', at, {
      cause: error,
      data: { retry_after_ms: retryAfter(api.responseHeaders) },
    })
  if (status !== undefined && (status >= 500 || status === 408))
    return new VpError('model.server', at, { cause: error, data: { retry_after_ms: retryAfter(api.responseHeaders) } })
  if (status !== undefined && status >= 400) return new VpError('model.request', at, { cause: error, next: ['vp doctor'] })
  if (!(error instanceof Error)) return new VpError('model.server', `${endpoint.host} broke off: ${message}`, { cause: error })
  const cause = messagesOf(error)
  if (/terminated|ECONNRESET|UND_ERR_SOCKET|other side closed|socket hang up|ended without a finish reason/i.test(cause))
    return new VpError('model.cut', 'the connection broke before the end of the answer', { cause: error })
  if (status !== undefined)
    return new VpError('model.protocol', `${endpoint.host} did not answer as a model does: ${message}`, {
      cause: error,
    })
  if (!heard && /ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|Cannot connect|fetch failed/i.test(cause))
    return new VpError('model.unreachable', `nothing answers at ${endpoint.host}`, {
      cause: error,
      next: ['vp doctor'],
    })
  return new VpError('model.protocol', `${endpoint.host} did not answer as a model does: ${message}`, { cause: error })
}

/** Messages and codes down the chain of causes, in one line. */
function messagesOf(error: unknown): string {
  const parts: string[] = []
  for (let at = error as { message?: string; code?: unknown; cause?: unknown } | undefined; at && parts.length < 10; at = at.cause as typeof at)
    parts.push(`${at.message ?? ''} ${String(at.code ?? '')}`)
  return parts.join(' ')
}

function retryAfter(headers: Record<string, string> | undefined): number | null {
  const ms = Number(headers?.['retry-after-ms'])
  if (Number.isFinite(ms) && ms > 0) return ms
  const seconds = Number(headers?.['retry-after'])
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, 200)
}
