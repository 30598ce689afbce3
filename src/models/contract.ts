/**
 * The provider contract: one question, one answer, whoever is behind it. Types only. Requests are plain JSON
 * without ids, times or paths of this machine, so equal work asks equal bytes.
 */
import type { Json } from '../core/json.ts'
import type { ModelFacts } from './facts.ts'

export interface ToolSpec {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments, stripped of what a model does not need. */
  readonly schema: Json
}

export interface ToolCall {
  /** Ours (`t3c1`): providers' own ids are random and would break replay. */
  readonly id: string
  readonly name: string
  /** What was not JSON comes through as it was, for the model to be told. */
  readonly arguments: Json | { readonly malformed: string }
}

export type Message =
  | { readonly role: 'system'; readonly text: string }
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly ToolCall[] }
  | { readonly role: 'tool'; readonly call_id: string; readonly name: string; readonly text: string }

/** How an answer is asked for: by the policy, else these. */
export interface CallParameters {
  /** 0..2 */
  readonly temperature: number
  /** Of one answer. */
  readonly max_tokens: number
}

export const DEFAULT_PARAMETERS: CallParameters = { temperature: 0, max_tokens: 4096 }

export interface ModelRequest extends CallParameters {
  readonly messages: readonly Message[]
  readonly tools: readonly ToolSpec[]
}

export interface ModelUsage {
  readonly tokens_in: number
  readonly tokens_out: number
  readonly tokens_think: number
  readonly tokens_cached: number
  /** Of `tokens_in`, written to a cache that bills for it. Absent: none. */
  readonly tokens_cache_write?: number
  readonly tokens_tool_use: number
}

export interface ModelAnswer {
  readonly text: string
  readonly calls: readonly ToolCall[]
  readonly finish: 'stop' | 'tool_calls' | 'length' | 'refused' | 'other'
  readonly usage: ModelUsage
  readonly usage_source: 'provider' | 'estimated'
  /** Names of request parameters that the model does not take, or not with that value: it answered without. Absent: none. */
  readonly not_as_asked?: readonly string[]
}

/** In `details.data.spent`, what a failed call cost: what the server said at its end, or nobody knows. Absent is nothing. */
export type SpentByFailure = ModelUsage | 'unknown' | 'nothing'

/** Where in a run a call stands: with the request's hash, the key of its recording. */
export interface CallPlace {
  /** `T3`, or `plan` before there are tasks. */
  readonly task: string
  readonly attempt: number
  readonly turn: number
}

export interface Endpoint {
  readonly host: string
  readonly loopback: boolean
  /** What answers there is a gateway: the model itself is elsewhere, and so go the code and the bill. */
  readonly gateway?: true
}

/** The body of one HTTP request that has begun to leave. Headers, where keys are, are told to nobody. */
export interface SentBody {
  /** With its port, where that is another than the ordinary one. */
  readonly host: string
  /** Without what comes behind a question mark. */
  readonly path: string
  readonly body: Buffer
}
export type OnSent = (sent: SentBody) => void

export interface Provider {
  /** `ollama`, `openai_compatible`, `openai`, `anthropic`, `google`, `recorded`. */
  readonly name: string
  readonly model: string
  readonly endpoint: Endpoint
  /** Prompts are marked for the server's cache: what is written there costs more than other input. */
  readonly marksCache?: boolean
  /** Tokens that prompt and answer may have together: measured, set or said by the server. Absent or null: nobody knows. Throws `model.*`. */
  window?(signal: AbortSignal): Promise<number | null>
  /** Of the model itself, from what had to be asked anyway; null: nothing yet. Absent: whoever wants to know asks the server. */
  facts?(): ModelFacts | null
  /**
   * Throws `model.*`; never returns half an answer. `onProgress` gets the tokens so far and must not throw. `onSent` gets every
   * body that the request went out in, none where nothing leaves this process; it must neither throw nor take time.
   */
  answer(request: ModelRequest, place: CallPlace, signal: AbortSignal, onProgress?: (tokens: number) => void, onSent?: OnSent): Promise<ModelAnswer>
}
