/**
 * The calls of one answer, made: what only reads goes at once, what changes or runs something waits its turn, and what they
 * came to stands in the order of the calls. A refusal that the model can act on becomes words; what ends an attempt is thrown.
 */
import { isVpError, type ErrorCode, type VpError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import type { ModelAnswer, ToolCall, ToolSpec } from '../models/contract.ts'
import { checkArguments } from './arguments.ts'
import { PROMPTS } from './prompts.ts'

export interface ToolResult {
  readonly text: string
  /** Set by the tool that ends the task. */
  readonly done?: { readonly title: string; readonly summary: string }
}

/** Where a call stands in its attempt: receipts name it. */
export interface CallAt {
  readonly turn: number
  /** 1-based, within its turn. */
  readonly index: number
  /** What is masked of a call is masked after it, so that placeholders are numbered in the order of the calls. */
  readonly after: Promise<unknown>
}

export interface AgentTool {
  readonly spec: ToolSpec
  /** A refusal or failure that the model can act on is thrown as VpError and told to it in words. */
  call(args: Json, signal: AbortSignal, at: CallAt): Promise<ToolResult>
}

export interface Called extends ToolResult {
  readonly code: ErrorCode | null
}

/** A call that reached no tool, or an answer without a call (`name` null), in words. */
export interface RefusedCall {
  readonly turn: number
  /** 1-based; 0 where there was none. */
  readonly index: number
  readonly name: string | null
  readonly words: string
}

export interface CallPorts {
  readonly tools: readonly AgentTool[]
  onRefused(refused: RefusedCall): Promise<void>
  onTool(name: string, args: Json): void
  onTold(name: string, args: Json, text: string): void
}

export interface Calling {
  readonly ports: CallPorts
  readonly turn: number
  readonly finish: ModelAnswer['finish']
  /** Arguments that this model has been told are none; from then on they are left out. */
  readonly told: Set<string>
  readonly signal: AbortSignal
  /** Whether an error ends the attempt. */
  ends(error: VpError): boolean
}

const READS = new Set(['read', 'list', 'search'])

/** Groups of calls that may be made at once: neighbours that only read, and every other call alone. */
export function together(calls: readonly ToolCall[]): ToolCall[][] {
  const groups: ToolCall[][] = []
  for (const call of calls) {
    const last = groups.at(-1)
    if (last && READS.has(call.name) && last.every((one) => READS.has(one.name))) last.push(call)
    else groups.push([call])
  }
  return groups
}

/** All settled before any of them is looked at, so that nothing is still at work when an attempt ends. */
export async function callAll(calling: Calling, group: readonly ToolCall[], firstIndex: number): Promise<PromiseSettledResult<Called>[]> {
  const made: Promise<Called>[] = []
  for (const [at, call] of group.entries()) {
    const after = Promise.allSettled(made.slice(-1))
    made.push(callTool(calling, call, { turn: calling.turn, index: firstIndex + at, after }))
  }
  return Promise.allSettled(made)
}

async function callTool({ ports, finish, told, signal, ends }: Calling, call: ToolCall, at: CallAt): Promise<Called> {
  const refused = async (text: string): Promise<Called> => {
    await ports.onRefused({ turn: at.turn, index: at.index, name: call.name, words: text })
    return { text, code: 'usage.params' }
  }
  if (finish === 'length' && isMalformed(call.arguments)) return refused(PROMPTS.cutShort)
  const tool = ports.tools.find((one) => one.spec.name === call.name)
  if (!tool) return refused(`There is no tool ${JSON.stringify(call.name.slice(0, 40))}. Tools: ${ports.tools.map((one) => one.spec.name).join(', ')}.`)
  if (isMalformed(call.arguments)) return refused(`The arguments of ${call.name} are not JSON. Send one JSON object with ${argumentNames(tool.spec)}.`)
  const { args, unknown, words } = checkArguments(tool.spec, call.arguments as Readonly<Record<string, Json>>)
  const news = unknown.filter((key) => !told.has(`${call.name}.${key}`))
  if (words !== null && news.length > 0) {
    for (const key of news) told.add(`${call.name}.${key}`)
    return refused(words)
  }
  ports.onTool(call.name, args)
  try {
    const result = await tool.call(args, signal, at)
    ports.onTold(call.name, args, result.text)
    return { ...result, code: null }
  } catch (error) {
    if (!isVpError(error) || ends(error) || isOurs(error)) throw error
    return { text: error.code === 'usage.params' && words !== null ? words : errorWords(error), code: error.code }
  }
}

/** A failure of ours or of the surroundings is nothing that a model could mend. */
const isOurs = ({ code }: VpError): boolean => code === 'internal' || /^(store|environment|sandbox)\./.test(code)

export function errorWords(error: VpError): string {
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
