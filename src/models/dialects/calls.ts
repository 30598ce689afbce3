/**
 * What a call looks like once its value is read: which keys name the tool and hold the arguments, as models vary them.
 * Strict about the name, which is an offered tool's, and about keys that no call has. Pure.
 */
import type { Json } from '../../core/json.ts'
import type { ToolCall, ToolSpec } from '../contract.ts'
import { readValue } from './lenient.ts'

export type Found = Pick<ToolCall, 'name' | 'arguments'>

const NAME_KEYS = ['name', 'function', 'tool', 'tool_name', 'function_name']
const ARGUMENT_KEYS = ['arguments', 'parameters', 'args', 'params', 'input', 'tool_input']
const OTHER_KEYS = ['id', 'type', 'index', 'call_id', 'tool_call_id']

type Fields = Readonly<Record<string, Json>>

const isFields = (value: Json | undefined): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The tool of that name, also where the model writes its namespace. */
export function toolNamed(tools: readonly ToolSpec[], name: string): ToolSpec | undefined {
  const bare = name.trim().replace(/^(?:functions|default_api|tools)\./, '')
  return tools.find((tool) => tool.name === bare)
}

/** The calls that are all of `value`: one, a list, or a message that lists them; null for anything else. */
export function callsIn(value: Json, tools: readonly ToolSpec[], isMarked: boolean): Found[] | null {
  if (Array.isArray(value)) {
    const all = value.map((one) => callsIn(one, tools, isMarked))
    return all.length === 0 || all.includes(null) ? null : all.flatMap((calls) => calls ?? [])
  }
  if (!isFields(value)) return null
  if (Array.isArray(value['tool_calls']) && Object.keys(value).every((key) => ['tool_calls', 'content', 'role', 'reasoning'].includes(key)))
    return callsIn(value['tool_calls'], tools, isMarked)
  if (isFields(value['function']) && Object.keys(value).every((key) => key === 'function' || OTHER_KEYS.includes(key)))
    return callsIn(value['function'], tools, isMarked)
  const call = callOf(value, tools, isMarked)
  return call ? [call] : null
}

function callOf(value: Fields, tools: readonly ToolSpec[], isMarked: boolean): Found | null {
  const keys = Object.keys(value)
  const nameKey = NAME_KEYS.find((key) => typeof value[key] === 'string')
  const argumentKey = ARGUMENT_KEYS.find((key) => value[key] !== undefined)
  if (nameKey === undefined || (argumentKey === undefined && !isMarked)) return null
  if (keys.some((key) => key !== nameKey && key !== argumentKey && !OTHER_KEYS.includes(key))) return null
  const tool = toolNamed(tools, value[nameKey] as string)
  if (!tool) return null
  const args = argumentsOf(argumentKey === undefined ? {} : (value[argumentKey] ?? {}))
  return args === null || isDefinition(args) ? null : { name: tool.name, arguments: args }
}

/** null: nothing that arguments can be. A string holds them as JSON. */
function argumentsOf(value: Json): Found['arguments'] | null {
  if (isFields(value)) return value
  if (typeof value !== 'string') return null
  const read = readValue(value, 0)
  return read && isFields(read.value) && value.slice(read.end).trim() === '' ? read.value : { malformed: value }
}

/** A tool's schema, as documents show it, is not a call of it. */
function isDefinition(args: Found['arguments']): boolean {
  return isFields(args as Json) && isFields((args as Fields)['properties'])
}

type Property = { readonly type?: string }

/** Of a wire that has only text: as the schema wants it, where it reads so. */
export function typed(tool: ToolSpec, key: string, text: string): Json | undefined {
  const { type } = ((tool.schema as { properties?: Readonly<Record<string, Property>> }).properties ?? {})[key] ?? {}
  if (type === undefined || type === 'string') return text
  const read = readValue(text, 0)
  if (!read || text.slice(read.end).trim() !== '') return text
  return read.value === null ? undefined : read.value
}
