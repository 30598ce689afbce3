/**
 * llama.cpp in this process, on a GGUF of this machine. Tokens are counted before anything is asked, so that nothing is
 * ever cut; the prompt's beginning stays evaluated between turns. Calls are read from the words; where a model does not
 * get them out it says the next one under a grammar in which it cannot say anything else.
 */
import { statSync } from 'node:fs'
import { VpError } from '../../core/errors.ts'
import type { ModelSpec } from '../choose.ts'
import type { Endpoint, Message, ModelRequest, Provider } from '../contract.ts'
import { callGrammar } from '../dialects/call-grammar.ts'
import { toolsInWords } from '../dialects/offered.ts'
import { factsOfFile, type ModelFacts } from '../facts.ts'
import { readGgufHead, type GgufHead } from '../gguf.ts'
import { answerOf, usageOf, type Collected } from './answer.ts'
import type { ProviderOptions } from './index.ts'
import {
  findLlamaModule,
  loadLlamaModule,
  type ChatWrapper,
  type Llama,
  type LlamaModel,
  type LlamaModule,
  type LlamaSequence,
  type Token,
} from './llama-module.ts'
import { ORDINARY_TOKENS } from './ollama-server.ts'

export interface InProcess {
  /** Where `node-llama-cpp` may be installed besides beside vp. */
  readonly directories: readonly string[]
  /** null: as many as llama.cpp takes by itself. */
  readonly threads: number | null
  /** `repair`: when the dialect failed; `always`: the model says calls and nothing else. */
  readonly grammar: 'repair' | 'always'
  readonly seed?: number
  /** Characters of one text in a call under the grammar; absent: by the length of an answer. */
  readonly maxText?: number
  /** Of the model; absent: the model's name is one. */
  readonly file?: string
  /** The sha256 of the file in hex; absent: nobody wants to know. */
  readonly digest?: (file: string) => Promise<string | null>
}

interface Open {
  readonly module: LlamaModule
  readonly llama: Llama
  readonly model: LlamaModel
  readonly wrapper: ChatWrapper
  readonly sequence: LlamaSequence
  readonly contextSize: number
  readonly facts: ModelFacts
}

const LEAST_ANSWER = 64
/** Of one text in a constrained call: a file, not a book. */
const MAX_TEXT = 16_000
/** Tokens of a prompt that are evaluated without a look at whether somebody still wants it: a second or so. */
const CPU_PART = 64
const GPU_PART = 512
/** A model whose calls failed so often says them under the grammar at once. */
const FAILED_ENOUGH = 2

export function llamaCpp(spec: ModelSpec, options: ProviderOptions): Provider {
  const { endpoint } = spec
  const inProcess: InProcess = options.inProcess ?? { directories: [], threads: null, grammar: 'repair' }
  let opening: Promise<Open> | null = null
  let facts: ModelFacts | null = null
  const open = (): Promise<Open> => {
    opening ??= openModel(inProcess.file ?? spec.model, inProcess, async () => options.window ?? (await options.measuredWindow?.(''))).then(
      (opened) => {
        facts = opened.facts
        return opened
      },
      (error: unknown) => {
        opening = null
        throw error
      },
    )
    return opening
  }
  let failed = 0
  // One sequence, one prompt at a time.
  let turn: Promise<unknown> = Promise.resolve()
  const alone = <Result>(body: () => Promise<Result>): Promise<Result> => {
    const result = turn.then(body)
    turn = result.catch(() => undefined)
    return result
  }
  // What was given up and is not at its end yet: llama.cpp stops behind the part of a prompt that it is at.
  let stopping: Promise<unknown> = Promise.resolve()
  const ask = (request: ModelRequest, isBound: boolean, ...[place, signal, onProgress]: Tail): ReturnType<Provider['answer']> =>
    answerOf(
      async (all, until, heard) => {
        const begun = stopping.then(async () => {
          const opened = await open()
          heard(0)
          await generate(all, opened, request, { isBound, inProcess, until, heard, endpoint })
        })
        stopping = begun.catch(() => undefined)
        await Promise.race([begun, aborted(until)])
      },
      { endpoint, stallMs: Math.max(options.stallMs, LONGEST_PROMPT_MS), onDialects: options.onDialects },
      request,
      place,
      { signal, onProgress },
    )
  return {
    name: 'llama_cpp',
    model: spec.model,
    endpoint,
    window: async () => (await open()).contextSize,
    facts: () => facts,
    answer: (request, place, signal, onProgress) =>
      alone(async () => {
        const rest: Tail = [place, signal, onProgress]
        const canBind = request.tools.length > 0
        if (canBind && (inProcess.grammar === 'always' || failed >= FAILED_ENOUGH)) return ask(request, true, ...rest)
        const answer = await ask(request, false, ...rest)
        if (!canBind || !hasFailed(answer.text, answer.calls)) {
          failed = 0
          return answer
        }
        failed++
        const again = await ask(request, true, ...rest)
        return { ...again, usage: { ...again.usage, tokens_out: again.usage.tokens_out + answer.usage.tokens_out } }
      }),
  }
}

/** Rejects when it comes. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

type Tail = [Parameters<Provider['answer']>[1], Parameters<Provider['answer']>[2], Parameters<Provider['answer']>[3]]
const LONGEST_PROMPT_MS = 10 * 60_000

/** A call that was begun and came to nothing, or whose arguments nobody can read. */
function hasFailed(text: string, calls: readonly { readonly arguments: unknown }[]): boolean {
  if (calls.some(({ arguments: args }) => typeof (args as { malformed?: unknown }).malformed === 'string')) return true
  return calls.length === 0 && /<\|?tool_?calls?|<function\s*=|"(?:name|tool)"\s*:\s*"\w+"\s*,\s*"(?:arguments|parameters)"/i.test(text)
}

/** Whether a call could be made at all: a whole GGUF, and llama.cpp to run it. Nothing is loaded. Throws `model.not_found`, `model.request`, `model.none`. */
export function requireInProcess(file: string, directories: readonly string[]): void {
  requireGguf(file)
  findLlamaModule(directories)
}

function requireGguf(file: string): GgufHead {
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return readGgufHead(file)
  throw new VpError('model.not_found', `there is no model file ${file}`, { next: ['vp model pull URL', 'vp model list'], data: { spent: 'nothing' } })
}

async function openModel(file: string, inProcess: InProcess, wanted: () => Promise<number | 'stock' | null | undefined>): Promise<Open> {
  const head = requireGguf(file)
  // Read beside llama.cpp, which reads all of it too; a file that cannot be read is its error to tell.
  const digest = inProcess.digest?.(file).catch(() => null) ?? null
  const { directories, threads } = inProcess
  const module = await loadLlamaModule(directories)
  try {
    const llama = await module.getLlama({
      build: 'never',
      progressLogs: false,
      logLevel: 'disabled',
      ...(threads === null ? {} : { maxThreads: threads, gpu: false }),
    })
    const model = await llama.loadModel({ modelPath: file, checkTensors: true, ...(threads === null ? {} : { gpuLayers: 0 }) })
    const asked = await wanted()
    const most = Math.min(model.trainContextSize, typeof asked === 'number' ? asked : ORDINARY_TOKENS)
    const context = await model.createContext({ contextSize: most, ...(threads === null ? {} : { threads }) })
    const { contextSize } = context
    const facts = factsOfFile(file, head, await digest, contextSize)
    return { module, llama, model, wrapper: module.resolveChatWrapper(model), sequence: context.getSequence(), contextSize, facts }
  } catch (cause) {
    const said = ((cause as Error).message ?? String(cause)).split('\n')[0] ?? ''
    const isMemory = /memory|VRAM/i.test(said)
    throw new VpError('model.request', `llama.cpp cannot open ${file}: ${said}`, {
      cause,
      next: isMemory
        ? ['choose a smaller model or quantisation', 'vp model probe --window 4096']
        : ['vp model pull URL --sha256 HEX', 'look whether it is a GGUF'],
      data: { spent: 'nothing' },
    })
  }
}

interface Generation {
  readonly isBound: boolean
  readonly inProcess: InProcess
  readonly until: AbortSignal
  readonly heard: (characters: number) => void
  readonly endpoint: Endpoint
}

async function generate(all: Collected, opened: Open, request: ModelRequest, { isBound, inProcess, until, heard, endpoint }: Generation): Promise<void> {
  const { llama, model, wrapper, sequence, contextSize } = opened
  const { contextText, stopGenerationTriggers } = wrapper.generateContextState({ chatHistory: history(toolsInWords(request).messages) })
  const tokens = contextText.tokenize(model.tokenizer)
  const room = contextSize - tokens.length
  if (room < LEAST_ANSWER)
    throw new VpError('model.too_large', `the prompt is ${tokens.length} tokens, the window of ${endpoint.host} ${contextSize}`, {
      data: { tokens: tokens.length, window: contextSize, spent: 'nothing' },
    })
  const stops = stopGenerationTriggers.map((trigger) => trigger.tokenize(model.tokenizer)).filter((stop) => stop.length > 0)
  const grammar = isBound ? await grammarFor(opened, request, inProcess.maxText ?? Math.min(MAX_TEXT, request.max_tokens * 4)) : null
  const { seed } = inProcess
  // Nothing of the prompt may be shifted out; its beginning is as it was evaluated before, its last token never is.
  await sequence.adaptStateToTokens(tokens.slice(0, -1), false)
  all.isAccepted = true
  const part = llama.gpu === false ? CPU_PART : GPU_PART
  while (sequence.nextTokenIndex < tokens.length - 1) {
    until.throwIfAborted()
    const from = sequence.nextTokenIndex
    await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(from, Math.min(from + part, tokens.length - 1)))
  }
  const most = Math.min(request.max_tokens, room)
  const said: Token[] = []
  let shown = 0
  const stream = sequence.evaluate(tokens.slice(sequence.nextTokenIndex), {
    temperature: request.temperature,
    ...(seed === undefined ? {} : { seed: tokens.reduce((sum, token) => (sum * 31 + token) >>> 0, seed) }),
    ...(grammar ? { grammarEvaluationState: grammar } : {}),
    yieldEogToken: true,
  })
  all.finish = 'length'
  for await (const token of stream) {
    until.throwIfAborted()
    if (model.isEogToken(token)) {
      all.finish = 'stop'
      break
    }
    said.push(token)
    const stop = stops.find((one) => said.length >= one.length && one.every((part, at) => said[said.length - one.length + at] === part))
    if (stop) {
      said.length -= stop.length
      all.finish = 'stop'
      break
    }
    if (said.length % 8 === 0) {
      const length = model.detokenize(said).length
      heard(Math.max(0, length - shown))
      shown = length
    }
    if (said.length >= most) break
  }
  all.text = model.detokenize(said)
  all.usage = usageOf({ input: tokens.length, output: said.length, think: null, cached: null })
}

/** A fresh state each time: it remembers how far it has come. */
async function grammarFor({ llama, model, module }: Open, { tools }: ModelRequest, maxText: number): Promise<object> {
  const grammar = await llama.createGrammar({ grammar: callGrammar(tools, maxText) })
  return new module.LlamaGrammarEvaluationState({ model, grammar })
}

function history(messages: readonly Message[]): object[] {
  const items = messages.map((message) =>
    message.role === 'assistant' ? { type: 'model', response: [message.text] } : { type: message.role === 'system' ? 'system' : 'user', text: message.text },
  )
  return [...items, { type: 'model', response: [] }]
}
