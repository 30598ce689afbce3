/**
 * The shapes a call has in text, each a reader from one place on: a JSON value, `<function=…>` with parameters, Python,
 * a name before its arguments, GLM's keys and values. Pure; what is cut within a value is said to be malformed.
 */
import type { Json } from '../../core/json.ts'
import type { ToolSpec } from '../contract.ts'
import { callsIn, toolNamed, typed, type Found } from './calls.ts'
import { readValue } from './lenient.ts'

export interface Shaped {
  readonly calls: readonly Found[]
  readonly end: number
  /** Something that closes it was missing. */
  readonly isOpen: boolean
}

/** `isMarked`: a tag before it says that it is a call. */
export type Shape = (text: string, at: number, tools: readonly ToolSpec[], isMarked: boolean) => Shaped | null

const matchAt = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at
  return pattern.exec(text)
}
const skipBlank = (text: string, at: number): number => at + (/^\s*/.exec(text.slice(at, at + 200))?.[0].length ?? 0)

/** Objects one after another, with or without a separator, or one list. */
export const jsonCalls: Shape = (text, at, tools, isMarked) => {
  const calls: Found[] = []
  let [end, isOpen] = [at, false]
  for (let next = at; text[next] === '{' || text[next] === '['; next = end + (matchAt(/\s*[,;]?\s*/y, text, end)?.[0].length ?? 0)) {
    const read = readValue(text, next)
    const found = read && callsIn(read.value, tools, isMarked)
    if (!found) break
    calls.push(...found)
    ;[end, isOpen] = [read.end, read.isOpen]
  }
  return calls.length > 0 ? { calls, end, isOpen } : null
}

const FUNCTION = /<(?:｜DSML｜)?(?:function|invoke)\s*(?:=\s*|\s+name\s*=\s*)["']?([\w.-]+)["']?\s*>?/y
const PARAMETER = /\s*<(?:｜DSML｜)?parameter\s*(?:=\s*|\s+name\s*=\s*)["']?([\w.-]+)["']?(?:\s+string\s*=\s*["']\w+["'])?\s*>/y
const FUNCTION_END = /\s*<\/(?:｜DSML｜)?(?:function|invoke)\s*>/y
/** After the tag that closes a parameter comes the next one, or the end; elsewhere the tag is part of the value. */
const PARAMETER_END =
  /<\/(?:｜DSML｜)?parameter\s*>(?=\s*(?:<(?:｜DSML｜)?parameter\s*[= ]|<\/(?:｜DSML｜)?(?:function|invoke|tool_call)|<tool_call>|<function\s*=|$))/g
const LATE_END = /(?:\r?\n[ \t]{0,20})?(?:<\/(?:function|invoke)\s*>\s*(?:<\/tool_call>|<tool_call>|<function\s*=|$)|<\/tool_call>\s*$)/g

/** Qwen3-Coder's, Llama's with JSON inside, and `<invoke name="…">`. */
export const functionTag: Shape = (text, at, tools) => {
  const open = matchAt(FUNCTION, text, at)
  const tool = open?.[1] === undefined ? undefined : toolNamed(tools, open[1])
  if (!open || !tool) return null
  let next = at + open[0].length
  const json = text[skipBlank(text, next)] === '{' ? readValue(text, skipBlank(text, next)) : null
  if (json && typeof json.value === 'object' && !Array.isArray(json.value)) {
    const close = matchAt(FUNCTION_END, text, json.end)
    return { calls: [{ name: tool.name, arguments: json.value }], end: json.end + (close?.[0].length ?? 0), isOpen: json.isOpen || !close }
  }
  const args: Record<string, Json> = {}
  for (let parameter = matchAt(PARAMETER, text, next); parameter; parameter = matchAt(PARAMETER, text, next)) {
    const [opening, key = ''] = parameter
    const from = next + opening.length
    const value = parameterValue(text, from, tool)
    if (!value) return { calls: [{ name: tool.name, arguments: { malformed: text.slice(at, at + 2000) } }], end: text.length, isOpen: true }
    const known = typed(tool, key, trimLine(text.slice(from, value.to)))
    if (known !== undefined) args[key] = known
    next = value.end
  }
  const close = matchAt(FUNCTION_END, text, next)
  const isBare = Object.keys(args).length === 0
  // A tag alone, in the middle of words, is a mention.
  if (isBare && !close) return null
  return { calls: [{ name: tool.name, arguments: args }], end: next + (close?.[0].length ?? 0), isOpen: !close }
}

/** Where a value ends, and where reading goes on; null where it was cut. */
function parameterValue(text: string, from: number, tool: ToolSpec): { to: number; end: number } | null {
  const closed = matchAt(PARAMETER_END, text, from)
  const late = matchAt(LATE_END, text, from)
  const sibling = nextParameter(text, from, tool)
  const ends = [
    ...(closed ? [{ to: closed.index, end: closed.index + closed[0].length }] : []),
    ...(late ? [{ to: late.index, end: late.index }] : []),
    ...(sibling === null ? [] : [{ to: sibling, end: sibling }]),
  ]
  return ends.reduce<{ to: number; end: number } | null>((first, end) => (first === null || end.to < first.to ? end : first), null)
}

/** The next parameter of this very tool on a line of its own: the one before it was not closed. */
function nextParameter(text: string, from: number, tool: ToolSpec): number | null {
  const keys = Object.keys((tool.schema as { properties?: object }).properties ?? {})
  if (keys.length === 0) return null
  return matchAt(new RegExp(`\\n[ \\t]*<parameter\\s*=\\s*(?:${keys.map((key) => key.replace(/\W/g, '\\$&')).join('|')})\\s*>`, 'g'), text, from)?.index ?? null
}

/** The line ends that the template puts around a value are not of it. */
const trimLine = (value: string): string => value.replace(/^\r?\n/, '').replace(/\r?\n$/, '')

const NAMED = /([\w.-]+)(?::\d+)?\s*(?:\[ARGS\]|<\|tool_call_argument_begin\|>)?\s*(?=\{)/y

/** Mistral's `name{…}` and `name[ARGS]{…}`. */
export const namedJson: Shape = (text, at, tools) => {
  const open = matchAt(NAMED, text, at)
  const tool = open?.[1] === undefined ? undefined : toolNamed(tools, open[1])
  if (!open || !tool) return null
  const read = readValue(text, at + open[0].length)
  if (!read || typeof read.value !== 'object' || read.value === null || Array.isArray(read.value)) return null
  return { calls: [{ name: tool.name, arguments: read.value }], end: read.end, isOpen: read.isOpen }
}

const KEYED = /([\w.-]+)\s*(?=<arg_key>)/y
const KEY_VALUE = /\s*<arg_key>([^<]+)<\/arg_key>\s*<arg_value>([\s\S]*?)<\/arg_value>/y

/** GLM's. */
export const keysAndValues: Shape = (text, at, tools) => {
  const open = matchAt(KEYED, text, at)
  const tool = open?.[1] === undefined ? undefined : toolNamed(tools, open[1])
  if (!open || !tool) return null
  const args: Record<string, Json> = {}
  let end = at + open[0].length
  for (let pair = matchAt(KEY_VALUE, text, end); pair; pair = matchAt(KEY_VALUE, text, end)) {
    const value = typed(tool, pair[1]?.trim() ?? '', pair[2] ?? '')
    if (value !== undefined) args[pair[1]?.trim() ?? ''] = value
    end += pair[0].length
  }
  return Object.keys(args).length === 0 ? null : { calls: [{ name: tool.name, arguments: args }], end, isOpen: false }
}

/** `[read(path="a"), test()]`, or calls without the list, one a line; arguments by name only, or one object. */
export const pythonCalls: Shape = (text, at, tools) => {
  const isList = text[at] === '['
  const calls: Found[] = []
  let end = skipBlank(text, at + (isList ? 1 : 0))
  for (;;) {
    const call = pythonCall(text, end, tools)
    if (!call) return null
    calls.push(call.found)
    end = call.end
    const more = matchAt(isList ? /\s*,\s*(?!\])/y : /\s*[\n;]\s*(?=[\w.]+\()/y, text, end)
    if (!more) break
    end += more[0].length
  }
  if (!isList) return { calls, end, isOpen: false }
  const close = matchAt(/\s*,?\s*\]/y, text, end)
  return close || skipBlank(text, end) >= text.length ? { calls, end: end + (close?.[0].length ?? 0), isOpen: !close } : null
}

function pythonCall(text: string, at: number, tools: readonly ToolSpec[]): { found: Found; end: number } | null {
  const open = matchAt(/(?:print\()?([\w.]+)\(\s*/y, text, at)
  const tool = open?.[1] === undefined ? undefined : toolNamed(tools, open[1])
  if (!open || !tool) return null
  const close = open[0].startsWith('print(') ? /\s*,?\s*\)\s*\)/y : /\s*,?\s*\)/y
  let end = at + open[0].length
  const whole = text[end] === '{' ? readValue(text, end) : null
  if (whole && !whole.isOpen) {
    const done = matchAt(close, text, whole.end)
    return done && typeof whole.value === 'object' && !Array.isArray(whole.value)
      ? { found: { name: tool.name, arguments: whole.value }, end: whole.end + done[0].length }
      : null
  }
  const args: Record<string, Json> = {}
  for (;;) {
    const done = matchAt(close, text, end)
    if (done) return { found: { name: tool.name, arguments: args }, end: end + done[0].length }
    const key = matchAt(/\s*,?\s*([A-Za-z_]\w*)\s*=\s*(?!=)/y, text, end)
    const read = key && readValue(text, end + key[0].length)
    if (!read || read.isOpen) return null
    args[key[1] ?? ''] = read.value
    end = read.end
  }
}
