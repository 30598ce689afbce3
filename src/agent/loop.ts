/**
 * The turn loop: ask, call tools, tell the model what came of it, until it submits or a typed reason stops it.
 * Plain functions over values; knows no files, no clock and no provider by name. The conversation only grows,
 * so that providers' caches hold.
 */
import { asVpError, isVpError, VpError } from '../core/errors.ts'
import { canonicalJson, type Json } from '../core/json.ts'
import type { CallPlace, Message, ModelAnswer, Provider, ToolCall, ToolSpec } from '../models/contract.ts'
import { checkArguments } from './arguments.ts'
import { bounded } from './prompt.ts'
import { PROMPTS } from './prompts.ts'

export interface ToolResult {
  readonly text: string
  /** Set by the tool that ends the task. */
  readonly done?: { readonly title: string; readonly summary: string }
}

export interface AgentTool {
  readonly spec: ToolSpec
  /** A refusal or failure that the model can act on is thrown as VpError and told to it in words. */
  call(args: Json, signal: AbortSignal): Promise<ToolResult>
}

export interface AgentPorts {
  readonly provider: Provider
  readonly tools: readonly AgentTool[]
  /** Changes when anything in the tree changed: same call and same world means no progress. */
  world(): string
  /** True: begin no further turn. The attempt keeps its place. */
  isPausing?(): boolean
  /** What happens now, for whoever watches; must not throw. */
  onActivity?(activity: AgentActivity): void
}

export type AgentActivity =
  /** `tokens` so far; 0 while nothing has come back yet. */
  | { readonly kind: 'model'; readonly model: string; readonly tokens: number }
  | { readonly kind: 'tool'; readonly name: string; readonly args: Json }
  /** What the tool told the model. */
  | { readonly kind: 'told'; readonly name: string; readonly args: Json; readonly text: string }

export interface AgentInput {
  readonly system: string
  readonly goal: string
  readonly place: Omit<CallPlace, 'turn'>
  readonly maxTurns: number
  readonly maxTokensPerCall: number
}

export type StopReason = 'budget' | 'turns' | 'no_progress' | 'refused' | 'model' | 'waiting' | 'cancelled'

export type AgentOutcome =
  | { readonly kind: 'submitted'; readonly title: string; readonly summary: string; readonly turns: number }
  | {
      readonly kind: 'stopped'
      readonly reason: StopReason
      readonly message: string
      readonly error: VpError | null
      readonly turns: number
    }

const SAME_CALL_LIMIT = 3
const SILENT_LIMIT = 3
const NO_WORDS = '(nothing)'

/** Errors that end the attempt instead of going back to the model. */
const ENDS: Readonly<Record<string, StopReason>> = {
  'budget.cap': 'budget',
  'budget.price_unknown': 'budget',
  'approval.needed': 'waiting',
  cancelled: 'cancelled',
  'model.refused': 'refused',
}

export async function runAgent(ports: AgentPorts, input: AgentInput, signal: AbortSignal): Promise<AgentOutcome> {
  const messages: Message[] = [
    { role: 'system', text: input.system },
    { role: 'user', text: input.goal },
  ]
  const specs = ports.tools.map((tool) => tool.spec)
  const seen = new Map<string, number>()
  const told = new Set<string>()
  let silent = 0
  for (let turn = 1; turn <= input.maxTurns; turn++) {
    const stop = (reason: StopReason, message: string, error: VpError | null = null): AgentOutcome => ({
      kind: 'stopped',
      reason,
      message,
      error,
      turns: turn,
    })
    if (ports.isPausing?.()) return stop('cancelled', 'paused')
    let answer: ModelAnswer
    try {
      const news = (tokens: number) => ports.onActivity?.({ kind: 'model', model: ports.provider.model, tokens })
      news(0)
      const request = { messages: [...messages], tools: specs, max_tokens: input.maxTokensPerCall, temperature: 0 }
      answer = await ports.provider.answer(request, { ...input.place, turn }, signal, news)
    } catch (thrown) {
      const error = asVpError(thrown)
      return stop(ENDS[error.code] ?? 'model', error.message, error)
    }
    // Servers refuse a message of no words in what they are sent next.
    const isEmpty = answer.calls.length === 0 && answer.text.trim() === ''
    messages.push({ role: 'assistant', text: isEmpty ? NO_WORDS : answer.text, calls: answer.calls })
    if (answer.calls.length === 0) {
      if (++silent >= SILENT_LIMIT) return stop('no_progress', 'the model called no tool three times in a row')
      messages.push({ role: 'user', text: answer.finish === 'length' ? PROMPTS.cutShort : PROMPTS.nudge })
      continue
    }
    silent = 0
    for (const call of answer.calls) {
      const key = `${ports.world()}\n${call.name}\n${canonicalJson(call.arguments)}`
      const times = (seen.get(key) ?? 0) + 1
      seen.set(key, times)
      if (times >= SAME_CALL_LIMIT) return stop('no_progress', `the model made the same call three times while nothing changed: ${call.name}`)
      let result: ToolResult
      try {
        result = answer.finish === 'length' && isMalformed(call.arguments) ? { text: PROMPTS.cutShort } : await callTool(ports, call, told, signal)
      } catch (thrown) {
        const error = asVpError(thrown)
        return stop(ENDS[error.code] ?? 'model', error.message, error)
      }
      if (result.done) return { kind: 'submitted', ...result.done, turns: turn }
      messages.push({ role: 'tool', call_id: call.id, name: call.name, text: bounded(result.text) })
    }
  }
  return {
    kind: 'stopped',
    reason: 'turns',
    message: `${input.maxTurns} turns were not enough`,
    error: null,
    turns: input.maxTurns,
  }
}

/** `told`: arguments that this model has been told are none; from then on they are left out. */
async function callTool(ports: AgentPorts, call: ToolCall, told: Set<string>, signal: AbortSignal): Promise<ToolResult> {
  const tool = ports.tools.find((one) => one.spec.name === call.name)
  if (!tool)
    return {
      text: `There is no tool ${JSON.stringify(call.name.slice(0, 40))}. Tools: ${ports.tools.map((one) => one.spec.name).join(', ')}.`,
    }
  if (isMalformed(call.arguments))
    return {
      text: `The arguments of ${call.name} are not JSON. Send one JSON object with ${argumentNames(tool.spec)}.`,
    }
  const { args, unknown, words } = checkArguments(tool.spec, call.arguments as Readonly<Record<string, Json>>)
  const news = unknown.filter((key) => !told.has(`${call.name}.${key}`))
  if (words !== null && news.length > 0) {
    for (const key of news) told.add(`${call.name}.${key}`)
    return { text: words }
  }
  ports.onActivity?.({ kind: 'tool', name: call.name, args })
  try {
    const result = await tool.call(args, signal)
    ports.onActivity?.({ kind: 'told', name: call.name, args, text: result.text })
    return result
  } catch (error) {
    if (
      !isVpError(error) ||
      error.code in ENDS ||
      error.code === 'internal' ||
      error.code.startsWith('store.') ||
      error.code.startsWith('environment.') ||
      error.code.startsWith('sandbox.')
    )
      throw error
    return { text: error.code === 'usage.params' && words !== null ? words : inWords(error) }
  }
}

function inWords(error: VpError): string {
  const { why, rule } = error.details
  return [`${error.code}: ${error.message}`, ...(why ? [why] : []), ...(rule ? [`Rule: ${rule}`] : [])].join('\n')
}

function isMalformed(args: ToolCall['arguments']): boolean {
  return args === null || typeof args !== 'object' || Array.isArray(args) || ('malformed' in args && typeof args.malformed === 'string')
}

function argumentNames(spec: ToolSpec): string {
  const properties = (spec.schema as { properties?: Readonly<Record<string, Json>> }).properties ?? {}
  return Object.keys(properties).join(', ')
}
