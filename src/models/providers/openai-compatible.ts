/**
 * Anything that speaks OpenAI's chat completions: Ollama, llama.cpp's server, vLLM, LM Studio, gateways. Servers
 * that answer a streaming request with one JSON document are understood, others than these two are refused.
 */
import type { IncomingMessage } from 'node:http'
import { isVpError } from '../../core/errors.ts'
import type { ModelSpec } from '../choose.ts'
import type { Endpoint, Message, ModelRequest, Provider } from '../contract.ts'
import { toolsInWords } from '../dialects/offered.ts'
import { answerOf, usageOf, type Collected } from './answer.ts'
import { eventData } from './event-lines.ts'
import { acceptedType, jsonObject, textOf as text, wholeBody } from './bodies.ts'
import { saidWindow } from './compatible-server.ts'
import { promptWatch } from './cut-prompts.ts'
import { brokeOff, elsewhere, notAModel, refusedParameter } from './failures.ts'
import { poster } from './http.ts'
import type { ProviderOptions } from './index.ts'

export function openaiCompatible(spec: ModelSpec, options: ProviderOptions): Provider {
  const { endpoint } = spec
  const post = poster(spec.baseUrl, endpoint.loopback ? undefined : options.proxyEnv)
  const watch = promptWatch(endpoint)
  const headers = { 'content-type': 'application/json', ...(spec.apiKey ? { authorization: `Bearer ${spec.apiKey}` } : {}) }
  let measured: Promise<number | null> | null = null
  const window = () => (measured ??= Promise.resolve(typeof options.window === 'number' ? options.window : (options.measuredWindow?.('') ?? null)))
  let isWithoutTools = false
  /** What the server has refused once is not sent again. */
  const refused = new Set<string>()
  const ask = async (...[request, place, signal, onProgress, onSent]: Parameters<Provider['answer']>) => {
    const body = JSON.stringify(wireRequest(spec.model, isWithoutTools ? toolsInWords(request) : request, refused))
    const answer = await answerOf(
      async (all, until, heard) => {
        if (refused.has('temperature')) all.notAsAsked.push('temperature')
        const response = await post({ url: `${spec.baseUrl}/chat/completions`, headers, body, signal: until, onSent })
        heard(0)
        await collect(all, response, endpoint, heard)
      },
      { endpoint, stallMs: options.stallMs, onDialects: options.onDialects },
      request,
      place,
      { signal, onProgress },
    )
    watch(place, body.length, answer, await window())
    return answer
  }
  return {
    name: 'openai_compatible',
    model: spec.model,
    endpoint,
    window: async (signal) => (await window()) ?? saidWindow(post, spec, headers, signal),
    async answer(...asked) {
      for (;;) {
        try {
          return await ask(...asked)
        } catch (thrown) {
          if (!isVpError(thrown)) throw thrown
          const parameter = refusedParameter(thrown)
          if (parameter !== null && !refused.has(parameter)) refused.add(parameter)
          else if (!isWithoutTools && NO_TOOLS.test(thrown.message)) isWithoutTools = true
          else throw thrown
        }
      }
    },
  }
}

/** Servers that were not started for tools, in their own words: llama.cpp's (two), vLLM's, Ollama's. */
const NO_TOOLS = /tools param requires --jinja|Unsupported param: tools|requires --enable-auto-tool-choice|does not support tools/

function wireRequest(model: string, request: ModelRequest, refused: ReadonlySet<string>): object {
  const tools = request.tools.map(({ name, description, schema }) => ({ type: 'function', function: { name, description, parameters: schema } }))
  return {
    model,
    [refused.has('max_tokens') ? 'max_completion_tokens' : 'max_tokens']: request.max_tokens,
    ...(refused.has('temperature') ? {} : { temperature: request.temperature }),
    messages: request.messages.map(wireMessage),
    ...(tools.length > 0 ? { tools } : {}),
    stream: true,
    stream_options: { include_usage: true },
  }
}

function wireMessage(message: Message): object {
  switch (message.role) {
    case 'assistant': {
      const calls = message.calls.map(({ id, name, arguments: args }) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(args) } }))
      return { role: 'assistant', content: calls.length > 0 && message.text === '' ? null : message.text, ...(calls.length > 0 ? { tool_calls: calls } : {}) }
    }
    case 'tool':
      return { role: 'tool', tool_call_id: message.call_id, content: message.text }
    default:
      return { role: message.role, content: message.text }
  }
}

/** What is looked at of a chunk, or of a whole completion; all of it may be missing or wrong. */
interface Chunk {
  readonly choices?: unknown
  readonly error?: unknown
  readonly usage?: {
    readonly prompt_tokens?: unknown
    readonly completion_tokens?: unknown
    readonly prompt_tokens_details?: { readonly cached_tokens?: unknown } | null
    readonly completion_tokens_details?: { readonly reasoning_tokens?: unknown } | null
  } | null
}
interface Choice {
  readonly delta?: Delta | null
  readonly message?: Delta | null
  readonly finish_reason?: unknown
}
interface Delta {
  readonly content?: unknown
  /** Words that stand for an answer that is declined, under any reason of its end. */
  readonly refusal?: unknown
  readonly reasoning_content?: unknown
  readonly reasoning?: unknown
  readonly tool_calls?: unknown
}
interface CallPart {
  readonly index?: unknown
  readonly id?: unknown
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown } | null
}

async function collect(all: Collected, response: IncomingMessage, endpoint: Endpoint, heard: (characters: number) => void): Promise<void> {
  const type = await acceptedType(response, endpoint)
  const fold = folding(all, endpoint, heard)
  if (type.includes('text/event-stream')) {
    all.isAccepted = true
    // Left as it is, so that the connection serves the next turn too.
    for await (const data of eventData(response.iterator({ destroyOnReturn: false }))) {
      if (data === '[DONE]') break
      fold(jsonObject<Chunk>(data, endpoint))
    }
    response.resume()
    return
  }
  if (!type.includes('json')) throw elsewhere(`${endpoint.host} answered ${type || 'without a content type'}, not as a model does`)
  const document = jsonObject<Chunk>(await wholeBody(response), endpoint)
  const words = `${endpoint.host} answered JSON that is no answer of a model`
  if (!Array.isArray(document.choices)) throw elsewhere(words)
  all.isAccepted = true
  if (!(document.choices[0] as Choice | undefined)?.message) throw notAModel(words)
  fold(document)
  all.finish ??= 'stop'
}

/** Adds one chunk after another to `all`. */
function folding(all: Collected, endpoint: Endpoint, heard: (characters: number) => void): (chunk: Chunk) => void {
  const open = new Map<unknown, { id: string; call: Collected['calls'][number] }>()
  let last: unknown
  let isDeclined = false
  const addCall = (part: CallPart, position: number, isWhole: boolean) => {
    const [name, id, args] = [text(part.function?.name), text(part.id), part.function?.arguments]
    const key = isWhole ? position : (part.index ?? last)
    last = key
    let slot = open.get(key)
    // Servers that count nothing, or say 0 for each, begin a call with a name: under another id, or without an index.
    if (!slot || (name !== '' && slot.call.name !== '' && (id === '' ? part.index === undefined && !isWhole : id !== slot.id))) {
      slot = { id, call: { name: '', input: '' } }
      open.set(key, slot)
      all.calls.push(slot.call)
    }
    if (slot.call.name === '') slot.call.name = name
    const input = typeof args === 'object' && args !== null ? JSON.stringify(args) : text(args)
    slot.call.input += input
    return name.length + input.length
  }
  return (chunk) => {
    if (chunk.error !== undefined && chunk.error !== null) throw brokeOff(endpoint, chunk.error)
    if (!Array.isArray(chunk.choices)) throw notAModel(`${endpoint.host} sent an event that is no part of an answer`)
    const { usage } = chunk
    if (usage)
      all.usage = usageOf({
        input: usage.prompt_tokens,
        output: usage.completion_tokens,
        think: usage.completion_tokens_details?.reasoning_tokens,
        cached: usage.prompt_tokens_details?.cached_tokens,
      })
    const choice = chunk.choices[0] as Choice | null | undefined
    const delta = choice?.delta ?? choice?.message ?? {}
    isDeclined ||= text(delta.refusal) !== ''
    const think = text(delta.reasoning_content) || text(delta.reasoning)
    all.text += text(delta.content)
    all.think += think
    const parts = Array.isArray(delta.tool_calls) ? (delta.tool_calls as (CallPart | null)[]) : []
    const sizes = parts.map((part, position) => addCall(part ?? {}, position, choice?.message !== undefined))
    if (typeof choice?.finish_reason === 'string') all.finish = isDeclined ? 'refused' : finishOf(choice.finish_reason)
    heard(text(delta.content).length + think.length + sizes.reduce((sum, size) => sum + size, 0))
  }
}

function finishOf(word: string): Collected['finish'] {
  if (word === 'stop' || word === 'length' || word === 'error') return word
  return word === 'content_filter' ? 'refused' : 'other'
}
