/**
 * Any AI SDK language model (specification v4) as our provider. No retries here: see `retry.ts`.
 */
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4FinishReason,
  LanguageModelV4Message,
  SharedV4ProviderOptions,
  SharedV4Warning,
} from '@ai-sdk/provider'
import { isVpError } from '../../core/errors.ts'
import type { Message, ModelRequest, OnSent, Provider } from '../contract.ts'
import { answerOf, usageOf, type Collected, type WireOptions } from './answer.ts'
import { refusedParameter } from './failures.ts'

export interface AdapterOptions extends WireOptions {
  readonly name: string
  readonly model: string
  /** How a message is marked for the server's cache; absent: not at all. */
  readonly cacheMark?: SharedV4ProviderOptions | undefined
}

/** `modelFor` gives the model as one call has it: what it sends is told to that call. */
export function adaptLanguageModel(modelFor: (onSent?: OnSent) => LanguageModelV4, options: AdapterOptions): Provider {
  let takesTemperature = true
  const ask = (...[request, place, signal, onProgress, onSent]: Parameters<Provider['answer']>) =>
    answerOf(
      (all, until, heard) => {
        if (!takesTemperature) all.notAsAsked.push('temperature')
        return collect(all, modelFor(onSent), { ...callOptions(request, takesTemperature, options.cacheMark), abortSignal: until }, heard)
      },
      options,
      request,
      place,
      { signal, onProgress },
    )
  return {
    name: options.name,
    model: options.model,
    endpoint: options.endpoint,
    ...(options.cacheMark ? { marksCache: true } : {}),
    async answer(...asked) {
      try {
        return await ask(...asked)
      } catch (thrown) {
        // The SDK knows most models that take none; of the others the server says it, before it begins.
        if (!takesTemperature || !isVpError(thrown) || refusedParameter(thrown) !== 'temperature') throw thrown
        takesTemperature = false
        return ask(...asked)
      }
    },
  }
}

async function collect(all: Collected, model: LanguageModelV4, call: LanguageModelV4CallOptions, heard: (characters: number) => void): Promise<void> {
  const { stream } = await model.doStream(call)
  all.isAccepted = true
  for await (const part of stream) {
    heard('delta' in part && typeof part.delta === 'string' ? part.delta.length : 0)
    switch (part.type) {
      case 'stream-start':
        all.notAsAsked.push(...notTaken(part.warnings))
        break
      case 'text-delta':
        all.text += part.delta
        break
      case 'reasoning-delta':
        all.think += part.delta
        break
      case 'tool-call':
        all.calls.push({ name: part.toolName, input: part.input })
        break
      case 'finish': {
        const { inputTokens, outputTokens } = part.usage
        all.finish = finishOf(part.finishReason)
        all.usage = usageOf({
          input: inputTokens.total,
          output: outputTokens.total,
          think: outputTokens.reasoning,
          cached: inputTokens.cacheRead,
          written: inputTokens.cacheWrite,
        })
        break
      }
      case 'error':
        throw part.error
      default:
    }
  }
}

/** The SDK says `other` without the server's word where a stream ended without one. */
function finishOf({ unified, raw }: LanguageModelV4FinishReason): Collected['finish'] {
  const word: string = unified
  if (word === 'content-filter') return 'refused'
  if (word === 'interrupted' || (word === 'other' && raw === undefined)) return null
  return word === 'stop' || word === 'length' || word === 'error' ? word : 'other'
}

/** Of the parameters that are ours to set. */
function notTaken(warnings: readonly SharedV4Warning[]): string[] {
  const names: Readonly<Record<string, string>> = { temperature: 'temperature', maxOutputTokens: 'max_tokens' }
  return warnings.flatMap((one) => ('feature' in one ? (names[one.feature] ?? []) : []))
}

function callOptions(request: ModelRequest, withTemperature: boolean, cacheMark: AdapterOptions['cacheMark']): LanguageModelV4CallOptions {
  return {
    prompt: marked(request.messages.map(toPrompt).reduce<LanguageModelV4Message[]>(joined, []), cacheMark),
    maxOutputTokens: request.max_tokens,
    ...(withTemperature ? { temperature: request.temperature } : {}),
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

/**
 * System and tools stay, a conversation grows: marks stand behind the system prompt, and behind the last two messages of ours,
 * so that each request finds what the one before it wrote.
 */
function marked(prompt: LanguageModelV4Message[], providerOptions: AdapterOptions['cacheMark']): LanguageModelV4Message[] {
  if (!providerOptions) return prompt
  const ours = prompt.flatMap(({ role }, index) => (role === 'user' || role === 'tool' ? [index] : [])).slice(-2)
  return prompt.map((message, index) => (message.role === 'system' || ours.includes(index) ? { ...message, providerOptions } : message))
}

/** Results of one turn's calls are one message: Gemini wants as many parts in it as there were calls. */
function joined(all: LanguageModelV4Message[], message: LanguageModelV4Message): LanguageModelV4Message[] {
  const last = all.at(-1)
  if (message.role !== 'tool' || last?.role !== 'tool') return [...all, message]
  return [...all.slice(0, -1), { ...last, content: [...last.content, ...message.content] }]
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
