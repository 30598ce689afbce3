/**
 * `node-llama-cpp`, which is no dependency: it is looked for where it was put for vp, and as a peer. What of it is used is
 * typed here, so that a checkout without it builds. Source: its documentation, version 3.22.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isVpError, VpError } from '../../core/errors.ts'

export const LLAMA_CPP_VERSION = '3.22.1'

export type Token = number

export interface LlamaModule {
  getLlama(options: Readonly<Record<string, unknown>>): Promise<Llama>
  resolveChatWrapper(model: LlamaModel): ChatWrapper
  readonly LlamaGrammarEvaluationState: new (options: { model: LlamaModel; grammar: unknown }) => object
}
export interface Llama {
  /** `false`: the processor alone. */
  readonly gpu: string | false
  loadModel(options: Readonly<Record<string, unknown>>): Promise<LlamaModel>
  createGrammar(options: {
    readonly grammar: string
    readonly stopGenerationTriggers?: readonly unknown[]
    readonly trimWhitespaceSuffix?: boolean
  }): Promise<unknown>
}
export interface LlamaModel {
  readonly trainContextSize: number
  readonly tokenizer: unknown
  createContext(options: Readonly<Record<string, unknown>>): Promise<LlamaContext>
  isEogToken(token: Token): boolean
  detokenize(tokens: readonly Token[], specialTokens?: boolean, lastTokens?: readonly Token[]): string
}
interface LlamaContext {
  readonly contextSize: number
  getSequence(): LlamaSequence
}
export interface LlamaSequence {
  readonly nextTokenIndex: number
  adaptStateToTokens(tokens: readonly Token[], allowShift?: boolean): Promise<void>
  evaluateWithoutGeneratingNewTokens(tokens: readonly Token[]): Promise<void>
  evaluate(tokens: readonly Token[], options: Readonly<Record<string, unknown>>): AsyncGenerator<Token, void>
}
interface Tokenizable {
  tokenize(tokenizer: unknown): Token[]
}
export interface ChatWrapper {
  generateContextState(state: { readonly chatHistory: readonly object[] }): {
    readonly contextText: Tokenizable
    readonly stopGenerationTriggers: readonly { tokenize(tokenizer: unknown): Token[] }[]
  }
}

/**
 * Where it lies, without loading it. `directories`: of `node_modules`, the first that has it wins, then what is beside vp. Throws
 * `model.none` with the command that installs it.
 */
export function findLlamaModule(directories: readonly string[]): string {
  for (const place of [...directories.map((directory) => join(directory, 'package.json')), import.meta.url])
    try {
      return createRequire(place).resolve('node-llama-cpp')
    } catch {
      continue // not here
    }
  throw new VpError('model.none', 'llama.cpp in process needs node-llama-cpp, which is not installed', {
    why: 'it is 85 to 716 MB, so vp does without it until somebody wants it',
    next: [`npm install --prefix ${directories[0] ?? '.'} node-llama-cpp@${LLAMA_CPP_VERSION}`, 'vp model set ollama:qwen2.5-coder:7b'],
    data: { spent: 'nothing' },
  })
}

/** Throws as `findLlamaModule`, and `model.none` where it is broken. */
export async function loadLlamaModule(directories: readonly string[]): Promise<LlamaModule> {
  try {
    return (await import(pathToFileURL(findLlamaModule(directories)).href)) as LlamaModule
  } catch (cause) {
    throw isVpError(cause) ? cause : broken(cause)
  }
}

function broken(cause: unknown): VpError {
  return new VpError('model.none', `node-llama-cpp cannot be loaded: ${((cause as Error).message ?? String(cause)).split('\n')[0] ?? ''}`, {
    cause,
    data: { spent: 'nothing' },
  })
}
