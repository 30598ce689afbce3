/**
 * What every wire has in common: what was collected from a stream becomes one answer or one typed outcome, and a
 * silence that lasts too long ends the call. Half an answer is never returned.
 */
import { VpError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import type { CallPlace, Endpoint, ModelAnswer, ModelRequest, ModelUsage, SpentByFailure, ToolCall } from '../contract.ts'
import { callsInText } from '../dialects/index.ts'
import { readValue } from '../dialects/lenient.ts'
import { estimateTokens } from '../prices.ts'
import { failureOf } from './failures.ts'

export interface WireOptions {
  readonly endpoint: Endpoint
  /** No news from the server for this long ends the call with `model.stalled`. */
  readonly stallMs: number
  readonly onDialects?: ((dialects: readonly string[]) => void) | undefined
}

export interface Collected {
  text: string
  think: string
  calls: { name: string; input: string }[]
  /** null: the stream ended without a word on why. */
  finish: 'stop' | 'length' | 'refused' | 'error' | 'other' | null
  /** null where the server does not tell. */
  usage: ModelUsage | null
  /** The server has begun to answer: what goes wrong from here on may have cost something. */
  isAccepted: boolean
  /** Parameters of the request that were not sent, or not as they were asked for. */
  notAsAsked: string[]
}

const MAX_CHARACTERS = 4_000_000
const CHARACTERS_A_TOKEN = 3.6

const nothingYet = (): Collected => ({ text: '', think: '', calls: [], finish: null, usage: null, isAccepted: false, notAsAsked: [] })

/**
 * Adds what comes to `all`, which is looked at also where this throws. `heard` is to be called with the length of
 * whatever comes; the signal ends when the caller or the silence says so.
 */
export type Listen = (all: Collected, signal: AbortSignal, heard: (characters: number) => void) => Promise<void>

/** Throws `cancelled`, `model.*`; what the failure cost is in `data.spent`, see `SpentByFailure`. */
export async function answerOf(
  listen: Listen,
  { endpoint, stallMs, onDialects }: WireOptions,
  request: ModelRequest,
  place: CallPlace,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress?: ((tokens: number) => void) | undefined },
): Promise<ModelAnswer> {
  // What was never sent costs nothing.
  if (signal.aborted) throw new VpError('cancelled', 'the model call was cancelled')
  const all = nothingYet()
  const stall = new AbortController()
  let timer = setTimeout(() => stall.abort(), stallMs)
  let isHeard = false
  let size = 0
  const heard = (characters: number) => {
    // What has nothing in it is no news: a server can go on with that for ever.
    if (characters > 0 || !isHeard) {
      clearTimeout(timer)
      timer = setTimeout(() => stall.abort(), stallMs)
    }
    isHeard = true
    size += characters
    if (size > MAX_CHARACTERS) throw new VpError('model.protocol', 'the model answered more than 4 MB')
    if (characters > 0) onProgress?.(Math.ceil(size / CHARACTERS_A_TOKEN))
  }
  try {
    await listen(all, AbortSignal.any([signal, stall.signal]), heard)
    return toAnswer(all, request, place, onDialects)
  } catch (error) {
    if (signal.aborted) throw withSpent(new VpError('cancelled', 'the model call was cancelled', { cause: error }), all)
    // It said why it stopped, and left the connection open.
    if (stall.signal.aborted && (all.finish === 'stop' || all.finish === 'length')) return toAnswer(all, request, place, onDialects)
    if (stall.signal.aborted)
      throw withSpent(new VpError('model.stalled', `the model said nothing for ${Math.round(stallMs / 1000)}s`, { cause: error, next: ['vp resume'] }), all)
    throw withSpent(failureOf(error, isHeard, endpoint), all)
  } finally {
    clearTimeout(timer)
  }
}

/** Of a server that has not begun to answer: it did nothing. A silence or a broken connection leaves open what it did. */
const TURNED_AWAY: ReadonlySet<string> = new Set([
  'model.unreachable',
  'model.auth',
  'model.quota',
  'model.not_found',
  'model.too_large',
  'model.request',
  'model.rate_limited',
  'model.server',
])

function withSpent(error: VpError, all: Collected): VpError {
  if (error.details.data?.['spent'] === 'nothing' || (!all.isAccepted && TURNED_AWAY.has(error.code))) return error
  const spent: SpentByFailure = all.finish !== null && all.usage ? all.usage : 'unknown'
  return new VpError(error.code, error.message, { ...error.details, cause: error.cause, data: { ...error.details.data, spent } })
}

function toAnswer(all: Collected, request: ModelRequest, place: CallPlace, onDialects: WireOptions['onDialects']): ModelAnswer {
  if (all.finish === null)
    throw new VpError('model.cut', 'the answer stopped before its end', {
      why: `${all.text.length} characters and ${all.calls.length} calls had come`,
    })
  if (all.finish === 'refused') throw new VpError('model.refused', 'the model refused the request')
  if (all.finish === 'error') throw new VpError('model.server', 'the model ended with an error')
  const isCut = all.finish === 'length'
  // Servers that do not know their model's dialect leave its calls in the words.
  const said = all.calls.length === 0 ? callsInText(all.text, request.tools, isCut) : null
  if (said && said.calls.length > 0) onDialects?.(said.dialects)
  const found = said?.calls ?? all.calls.map(({ name, input }, index) => ({ name, arguments: parseArguments(input, isCut && index === all.calls.length - 1) }))
  const calls = found.map((call, index): ToolCall => ({ id: `t${place.turn}c${index + 1}`, ...call }))
  return {
    text: said?.text ?? all.text,
    calls,
    finish: calls.length > 0 && all.finish !== 'length' ? 'tool_calls' : all.finish,
    usage: all.usage ?? estimatedUsage(request, all),
    usage_source: all.usage ? 'provider' : 'estimated',
    ...(all.notAsAsked.length > 0 ? { not_as_asked: all.notAsAsked } : {}),
  }
}

/** `isCut`: no arguments are then not none, but lost. */
function parseArguments(input: string, isCut: boolean): ToolCall['arguments'] {
  if (isCut && (input === '' || input === '{}')) return { malformed: '' }
  const read = parsed(input === '' ? '{}' : input, isCut)
  // Some servers put JSON into a string of JSON.
  const value = typeof read === 'string' ? parsed(read, isCut) : read
  return value === undefined || typeof value === 'string' ? { malformed: input.slice(0, 2000) } : value
}

/** As it is meant, see `dialects/lenient.ts`; undefined beyond repair. */
function parsed(input: string, isCut: boolean): Json | undefined {
  try {
    const value = JSON.parse(input) as Json
    return canBeKept(value, 0) ? value : undefined
  } catch {
    const read = readValue(input, 0)
    return read && input.slice(read.end).trim() === '' && !(isCut && read.isOpen) ? read.value : undefined
  }
}

const MAX_DEPTH = 64

/** JSON.parse makes Infinity of `1e999`, and nests without end: neither can be written down again. */
function canBeKept(value: Json, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  return depth < MAX_DEPTH && Object.values(value).every((member) => canBeKept(member as Json, depth + 1))
}

export interface ReportedTokens {
  readonly input: unknown
  readonly output: unknown
  readonly think: unknown
  readonly cached: unknown
  readonly written?: unknown
}

/**
 * What a server told of its use; null where it did not tell the two sums, or told what cannot be: no prompt is of no token, and no count half a one.
 * `output` holds the thinking.
 */
export function usageOf({ input, output, think, cached, written }: ReportedTokens): ModelUsage | null {
  if (!isCount(input) || !isCount(output) || input === 0) return null
  const whole = (value: unknown) => (isCount(value) ? value : 0)
  return {
    tokens_in: whole(input),
    tokens_out: Math.max(0, whole(output) - whole(think)),
    tokens_think: whole(think),
    tokens_cached: whole(cached),
    ...(whole(written) > 0 ? { tokens_cache_write: whole(written) } : {}),
    tokens_tool_use: 0,
  }
}

/** More than any model has ever read or said is none. */
const MOST_TOKENS = 1_000_000_000

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= MOST_TOKENS

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
