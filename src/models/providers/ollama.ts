/**
 * Ollama's own wire, `/api/chat`: the only one on which the window can be set. `num_ctx` is always sent, and the server
 * is told not to cut; what it counted is held against what was sent all the same, since older ones do not listen.
 * A model whose template knows no tools is offered them in words. Source: docs/api.md and api/types.go of ollama/ollama.
 */
import type { IncomingMessage } from 'node:http'
import { isVpError, VpError } from '../../core/errors.ts'
import type { ModelSpec } from '../choose.ts'
import type { Endpoint, Message, ModelRequest, Provider } from '../contract.ts'
import { factsOfOllama } from '../facts.ts'
import type { OllamaModel } from '../ollama-model.ts'
import { toolsInWords } from '../dialects/offered.ts'
import { answerOf, usageOf, type Collected } from './answer.ts'
import { acceptedType, jsonObject, textLines, textOf } from './bodies.ts'
import { promptWatch } from './cut-prompts.ts'
import { brokeOff, elsewhere, notAModel, overWindow } from './failures.ts'
import { poster } from './http.ts'
import type { ProviderOptions } from './index.ts'
import { describeOllamaModel, notPulled, windowOf } from './ollama-server.ts'

interface Known {
  readonly model: OllamaModel
  readonly window: number | 'stock'
}

export function ollama(spec: ModelSpec, options: ProviderOptions): Provider {
  const { endpoint } = spec
  const post = poster(spec.baseUrl)
  const watch = promptWatch(endpoint)
  const headers = { 'content-type': 'application/json', ...(spec.apiKey ? { authorization: `Bearer ${spec.apiKey}` } : {}) }
  let asking: Promise<Known> | null = null
  let told: OllamaModel | null = null
  let isWithoutTools = false
  const known = (signal: AbortSignal): Promise<Known> => {
    asking ??= describe(signal).catch((error: unknown) => {
      asking = null
      throw error
    })
    return asking
  }
  const describe = async (signal: AbortSignal): Promise<Known> => {
    const model = await describeOllamaModel({ baseUrl: spec.baseUrl, endpoint, headers, post }, spec.model, signal)
    told = model
    if (model.remoteHost !== null)
      throw new VpError('model.consent', `${spec.model} does not run on ${endpoint.host}: it is passed on to ${model.remoteHost}`, {
        why: 'code leaves the machine only for a host that a person named',
        next: ['vp model list', 'choose a model without cloud in its name'],
        data: { spent: 'nothing' },
      })
    isWithoutTools = model.capabilities !== null && !model.capabilities.includes('tools')
    const measured = model.digest === null ? null : ((await options.measuredWindow?.(model.digest)) ?? null)
    return { model, window: options.window ?? windowOf(model, measured) }
  }
  const ask = async (...[request, place, signal, onProgress, onSent]: Parameters<Provider['answer']>) => {
    let characters = 0
    let window: Known['window'] = 'stock'
    const answer = await answerOf(
      async (all, until, heard) => {
        const facts = await known(until)
        window = facts.window
        const body = JSON.stringify(wireRequest(spec.model, isWithoutTools ? toolsInWords(request) : request, window))
        characters = body.length
        const response = await post({ url: `${spec.baseUrl}/api/chat`, headers, body, signal: until, onSent })
        heard(0)
        await collect(all, response, endpoint, heard)
      },
      { endpoint, stallMs: options.stallMs, onDialects: options.onDialects },
      request,
      place,
      { signal, onProgress },
    ).catch((thrown: unknown) => {
      throw isVpError(thrown) && window !== 'stock' ? overWindow(thrown, endpoint, { characters, window }) : thrown
    })
    watch(place, characters, answer, window === 'stock' ? null : window)
    return answer
  }
  return {
    name: 'ollama',
    model: spec.model,
    endpoint,
    async window(signal) {
      const { window } = await known(signal)
      return window === 'stock' ? null : window
    },
    facts: () => told && factsOfOllama(told),
    async answer(...asked) {
      try {
        return await ask(...asked)
      } catch (thrown) {
        if (!isVpError(thrown)) throw thrown
        // What the server says itself: its list is younger than the error.
        if (isWithoutTools || !/does not support tools/.test(thrown.message)) throw notPulled(thrown, spec.model)
        isWithoutTools = true
        return ask(...asked)
      }
    },
  }
}

function wireRequest(model: string, request: ModelRequest, window: Known['window']): object {
  const tools = request.tools.map(({ name, description, schema }) => ({ type: 'function', function: { name, description, parameters: schema } }))
  return {
    model,
    messages: request.messages.map(wireMessage),
    ...(tools.length > 0 ? { tools } : {}),
    stream: true,
    ...(window === 'stock' ? {} : { truncate: false, shift: false }),
    options: { ...(window === 'stock' ? {} : { num_ctx: window }), num_predict: request.max_tokens, temperature: request.temperature },
  }
}

function wireMessage(message: Message): object {
  switch (message.role) {
    case 'assistant': {
      const calls = message.calls.map(({ id, name, arguments: args }, index) => ({ id, function: { index, name, arguments: args } }))
      return { role: 'assistant', content: message.text, ...(calls.length > 0 ? { tool_calls: calls } : {}) }
    }
    case 'tool':
      return { role: 'tool', content: message.text, tool_name: message.name, tool_call_id: message.call_id }
    default:
      return { role: message.role, content: message.text }
  }
}

/** What is looked at of a line; all of it may be missing or wrong. */
interface Line {
  readonly error?: unknown
  readonly message?: { readonly content?: unknown; readonly thinking?: unknown; readonly tool_calls?: unknown } | null
  readonly done?: unknown
  readonly done_reason?: unknown
  readonly prompt_eval_count?: unknown
  readonly eval_count?: unknown
}
interface Call {
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown } | null
}

async function collect(all: Collected, response: IncomingMessage, endpoint: Endpoint, heard: (characters: number) => void): Promise<void> {
  const type = await acceptedType(response, endpoint)
  if (!type.includes('json')) throw elsewhere(`${endpoint.host} answered ${type || 'without a content type'}, not as a model does`)
  all.isAccepted = true
  for await (const line of textLines(response.iterator({ destroyOnReturn: false }))) {
    fold(all, jsonObject<Line>(line, endpoint), endpoint, heard)
    if (all.finish !== null) break
  }
  response.resume()
}

function fold(all: Collected, line: Line, endpoint: Endpoint, heard: (characters: number) => void): void {
  if (line.error !== undefined && line.error !== null) throw brokeOff(endpoint, line.error)
  if (typeof line.message !== 'object') throw notAModel(`${endpoint.host} sent a line that is no part of an answer`)
  const [content, thinking] = [textOf(line.message?.content), textOf(line.message?.thinking)]
  all.text += content
  all.think += thinking
  let size = content.length + thinking.length
  for (const call of Array.isArray(line.message?.tool_calls) ? (line.message.tool_calls as (Call | null)[]) : []) {
    const args = call?.function?.arguments
    const input = typeof args === 'object' && args !== null ? JSON.stringify(args) : textOf(args)
    all.calls.push({ name: textOf(call?.function?.name), input })
    size += input.length
  }
  if (line.done === true) {
    all.finish = finishOf(line.done_reason)
    all.usage = usageOf({ input: line.prompt_eval_count, output: line.eval_count, think: null, cached: null })
  }
  heard(size)
}

function finishOf(word: unknown): Collected['finish'] {
  if (word === undefined || word === '' || word === 'stop') return 'stop'
  return word === 'length' ? 'length' : 'other'
}
