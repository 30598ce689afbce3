/**
 * Calls between the special tokens of a model's own template, as they come through where a server does not know them:
 * DeepSeek's and Kimi's sections, Gemma's `call:name{…}` with its own quotes. Pure.
 */
import type { Json } from '../../core/json.ts'
import type { ToolSpec } from '../contract.ts'
import { toolNamed, typed, type Found } from './calls.ts'
import { readValue } from './lenient.ts'
import type { Shape, Shaped } from './shapes.ts'

const matchAt = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at
  return pattern.exec(text)
}

const BEGIN = /\s*<[|｜]tool[_▁]call[_▁]begin[|｜]>\s*/y
const HEAD =
  /(?:function<[|｜]tool[_▁]sep[|｜]>\s*)?([\w.-]+?)(?::\d+)?\s*(?:<[|｜]tool[_▁](?:sep|call[_▁]argument[_▁]begin)[|｜]>\s*)?(?:```(?:json)?\s*)?(?=\{)/y
const END = /\s*(?:```\s*)?(?:<[|｜]tool[_▁]call[_▁]end[|｜]>)?/y
const SECTION_END = /\s*<[|｜]tool[_▁]calls?(?:[_▁]section)?[_▁]end[|｜]>(?:\s*<[|｜]end[_▁]of[_▁]sentence[|｜]>)?/y

/** Each between a begin and an end, its name before its arguments: DeepSeek R1, V3 and V3.1, Kimi K2. */
export const sectionCalls: Shape = (text, at, tools) => {
  const calls: Found[] = []
  let [end, isOpen] = [at, false]
  for (let begin = matchAt(BEGIN, text, end); begin; begin = matchAt(BEGIN, text, end)) {
    const from = end + begin[0].length
    const head = matchAt(HEAD, text, from)
    const tool = head?.[1] === undefined ? undefined : toolNamed(tools, head[1])
    const read = head && tool ? readValue(text, from + head[0].length) : null
    if (!tool || !read || typeof read.value !== 'object' || Array.isArray(read.value)) break
    calls.push({ name: tool.name, arguments: read.value })
    const close = matchAt(END, text, read.end)
    ;[end, isOpen] = [read.end + (close?.[0].length ?? 0), read.isOpen]
  }
  if (calls.length === 0) return null
  return { calls, end: end + (matchAt(SECTION_END, text, end)?.[0].length ?? 0), isOpen }
}

const QUOTE = '<|"|>'
const CALL = /call:\s*([\w.-]+)\s*(?=\{)/y

/** `call:name{key:<|"|>text<|"|>,n:1}`; where a server dropped the quotes, up to the next key of the tool. */
export const gemmaCall: Shape = (text, at, tools) => {
  const open = matchAt(CALL, text, at)
  const tool = open?.[1] === undefined ? undefined : toolNamed(tools, open[1])
  if (!open || !tool) return null
  const from = at + open[0].length
  return quoted(text, from, tool) ?? unquoted(text, from, tool)
}

/** Beside its quoted texts a call is short; a text full of calls that never end is not read to its end for each. */
const MAX_BARE = 600

function quoted(text: string, from: number, { name }: ToolSpec): Shaped | null {
  let [json, depth, at, bare] = ['', 0, from, 0]
  for (; at < text.length; at++) {
    if (++bare > MAX_BARE) return null
    if (text.startsWith(QUOTE, at)) {
      const close = text.indexOf(QUOTE, at + QUOTE.length)
      if (close < 0) return null
      json += JSON.stringify(text.slice(at + QUOTE.length, close))
      at = close + QUOTE.length - 1
      continue
    }
    const char = text[at] ?? ''
    json += char
    if (char === '{' || char === '[') depth++
    if ((char === '}' || char === ']') && --depth === 0) break
  }
  const read = depth === 0 ? readValue(json, 0) : null
  if (!read || read.end !== json.length || typeof read.value !== 'object' || Array.isArray(read.value)) return null
  return { calls: [{ name, arguments: read.value }], end: at + 1, isOpen: false }
}

const MAX_LINE = 20_000

function unquoted(text: string, from: number, tool: ToolSpec): Shaped | null {
  const line = text.slice(from, from + MAX_LINE).split('\n', 1)[0] ?? ''
  const end = from + line.lastIndexOf('}')
  const keys = Object.keys((tool.schema as { properties?: object }).properties ?? {})
  if (end <= from || keys.length === 0) return null
  const key = new RegExp(`(?:^|,)\\s*(${keys.map((one) => one.replace(/\W/g, '\\$&')).join('|')}):`, 'g')
  const body = text.slice(from + 1, end)
  const found = [...body.matchAll(key)]
  if (found.length === 0 || found[0]?.index !== 0) return null
  const args: Record<string, Json> = {}
  for (const [index, match] of found.entries()) {
    const value = typed(tool, match[1] ?? '', body.slice(match.index + match[0].length, found[index + 1]?.index ?? body.length).trim())
    if (value !== undefined) args[match[1] ?? ''] = value
  }
  return { calls: [{ name: tool.name, arguments: args }], end: end + 1, isOpen: false }
}
