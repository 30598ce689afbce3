/**
 * Tool calls that came as text, for servers that did not find them. A dialect is a value: how it begins, and the shapes
 * it may go on with; a new one is a row here and rows in the test. Lenient about form, strict about two things: the name
 * is an offered tool's, and the call stands where one can stand. What is quoted, indented, in a diff, in thoughts or in
 * a fence of code is no call.
 */
import type { ToolSpec } from '../contract.ts'
import type { Found } from './calls.ts'
import { gemmaCall, sectionCalls } from './token-shapes.ts'
import { functionTag, jsonCalls, keysAndValues, namedJson, pythonCalls, type Shape, type Shaped } from './shapes.ts'

export interface TextCalls {
  readonly calls: readonly Found[]
  /** The words around them. */
  readonly text: string
  /** Names of the rows that were used. */
  readonly dialects: readonly string[]
}

interface Dialect {
  readonly name: string
  /** What begins it, at the start of a line; null: nothing but the call itself. */
  readonly marker: RegExp | null
  /** Also after the end of a sentence, on its line. */
  readonly isInline?: boolean
  readonly shapes: readonly Shape[]
}

const INSIDE_TAGS: readonly Shape[] = [jsonCalls, functionTag, keysAndValues, namedJson, pythonCalls]

export const DIALECTS: readonly Dialect[] = [
  {
    name: 'hermes',
    marker: /<(?:tool_calls?|function_calls?|tools|toolcall|minimax:tool_call|｜DSML｜(?:function|tool)_calls)>\s*/y,
    isInline: true,
    shapes: INSIDE_TAGS,
  },
  { name: 'mistral', marker: /\[TOOL_CALLS?\]\s*/y, isInline: true, shapes: [jsonCalls, namedJson] },
  { name: 'lm_studio', marker: /\[TOOL_REQUEST\]\s*/y, shapes: [jsonCalls, namedJson] },
  { name: 'llama', marker: /<\|python_(?:tag|start)\|>\s*/y, isInline: true, shapes: [jsonCalls, pythonCalls, functionTag] },
  { name: 'phi', marker: /(?:<\|tool_calls?\|>|functools)\s*/y, shapes: [jsonCalls] },
  { name: 'liquid', marker: /<\|tool_calls?_start\|>\s*/y, isInline: true, shapes: [pythonCalls, jsonCalls] },
  { name: 'harmony', marker: /(?:<\|start\|>assistant)?<\|channel\|>commentary to=(?=[\w.]+)/y, shapes: [harmonyCall] },
  { name: 'bracket', marker: /\[Calling tool: ?(?=\w)/y, shapes: [pythonCalls] },
  {
    name: 'sections',
    marker: /<[|｜]tool[_▁]calls?(?:[_▁]section)?[_▁]begin[|｜]>(?=\s*<[|｜]tool[_▁]call[_▁]begin)|(?=<[|｜]tool[_▁]call[_▁]begin)/y,
    shapes: [sectionCalls],
  },
  { name: 'gemma', marker: /(?:<\|tool_call>\s*)?(?=call:)/y, shapes: [gemmaCall] },
  { name: 'qwen_xml', marker: /(?=<(?:｜DSML｜)?(?:function\s*[= ]|invoke\s+name))/y, shapes: [functionTag] },
  { name: 'python_list', marker: null, shapes: [pythonCalls] },
  { name: 'json', marker: null, shapes: [jsonCalls] },
]

/** What may close a call, once or more, in any dialect. */
const CLOSERS =
  /(?:\s*(?:<\/(?:｜DSML｜)?(?:tool_calls?|function_calls?|tools|toolcall|minimax:tool_call|function|invoke|s)>|<tool_call\|>|\[\/?(?:END_TOOL_REQUEST|TOOL_CALLS?|TOOL_REQUEST)\](?!\s*[{[\w])|<\|(?:\/?tool_calls?|tool_calls?_end|python_end|eom_id|eot_id|im_end|call|end)\|>|\]$))+/y
const FENCE = /(`{3,}|~{3,})[ \t]*([\w-]*)[^\n`]*\n/y
const CALL_FENCES = new Set(['', 'json', 'json5', 'xml', 'tool_call', 'tool_calls', 'tool_code', 'tool', 'tools', 'function_call'])
const THOUGHTS = /<(think|thinking|thought|reasoning)>|\[THINK\]/y
const MAX_LENGTH = 200_000

/** The calls in an answer of words; none where it holds none. `isCut`: the answer ended at its limit. */
export function callsInText(text: string, tools: readonly ToolSpec[], isCut = false): TextCalls {
  const none: TextCalls = { calls: [], text, dialects: [] }
  if (tools.length === 0 || text.length > MAX_LENGTH || !/[{(<]/.test(text)) return none
  const scan = new Scan(withoutOrphanThoughts(text), tools)
  scan.run()
  const last = scan.calls.at(-1)
  if (!last) return none
  // Half an answer may lack more than a bracket.
  const calls = isCut && scan.isOpen ? [...scan.calls.slice(0, -1), { name: last.name, arguments: { malformed: '' } }] : scan.calls
  return { calls, text: scan.words.join('').trim(), dialects: [...new Set(scan.dialects)] }
}

/** Templates that begin the thoughts themselves leave only their end. */
function withoutOrphanThoughts(text: string): string {
  if (/^\s*[<{[]/.test(text)) return text
  const end = /^(?:(?!<think)[\s\S])*?<\/think(?:ing)?>/.exec(text)
  return end ? text.slice(end[0].length) : text
}

/** State: where it stands, and what it has found. */
class Scan {
  readonly calls: Found[] = []
  readonly words: string[] = []
  readonly dialects: string[] = []
  isOpen = false
  private readonly text: string
  private readonly tools: readonly ToolSpec[]
  private readonly hasDiff: boolean
  private at = 0

  constructor(text: string, tools: readonly ToolSpec[]) {
    this.text = text
    this.tools = tools
    this.hasDiff = /^(?:@@ -\d|diff --git |--- a\/)/m.test(text)
  }

  run(): void {
    this.skip(/[\s;]*/y)
    while (this.at < this.text.length) {
      if (this.thoughts() || this.fence() || this.call()) continue
      this.line()
    }
  }

  private match(pattern: RegExp, at = this.at): RegExpExecArray | null {
    pattern.lastIndex = at
    return pattern.exec(this.text)
  }

  private skip(pattern: RegExp): void {
    this.at += this.match(pattern)?.[0].length ?? 0
  }

  private thoughts(): boolean {
    const open = this.match(THOUGHTS)
    if (!open) return false
    const close = open[1] === undefined ? '[/THINK]' : `</${open[1]}>`
    const end = this.text.indexOf(close, this.at)
    this.at = end < 0 ? this.text.length : end + close.length
    this.skip(/\s*/y)
    return true
  }

  /** A fence holds calls and nothing else, or it is code. */
  private fence(): boolean {
    const open = this.match(FENCE)
    if (!open) return false
    const [opening, ticks = '', language = ''] = open
    const from = this.at + opening.length
    if (CALL_FENCES.has(language.toLowerCase()) && this.inFence(from, ticks, language)) return true
    const close = this.match(new RegExp(`^[ \\t]*${ticks[0]}{${ticks.length},}[ \\t]*$`, 'gm'), from)
    const end = close ? close.index + close[0].length : this.text.length
    this.words.push(this.text.slice(this.at, end))
    this.at = end
    return true
  }

  private inFence(from: number, ticks: string, language: string): boolean {
    const at = from + (/^\s*/.exec(this.text.slice(from))?.[0].length ?? 0)
    const isCode = language === 'tool_code'
    const read = this.read(at, DIALECTS, isCode)
    if (!read) return false
    const close = this.match(new RegExp(`\\s*(?:${ticks[0]}{${ticks.length},}[ \\t]*(?=\\n|$)|$)`, 'y'), read.end)
    if (!close) return false
    this.take(read, `fenced ${read.dialect}`, read.end + close[0].length)
    return true
  }

  private call(): boolean {
    const read = this.read(this.at, DIALECTS, false)
    if (!read || !this.mayStand(read)) return false
    this.take(read, read.dialect, read.end)
    return true
  }

  /** Bare Python is a call only where nothing else is; bare anything is none beside a diff. */
  private mayStand({ dialect, end, calls }: Shaped & { readonly dialect: string }): boolean {
    if (dialect !== 'json' && dialect !== 'python_list') return true
    if (this.hasDiff) return false
    const isAlone = this.text.slice(0, this.at).trim() === '' && this.text.slice(end).trim() === ''
    const endsLine = this.match(/[ \t;.]*(?:\n|$)/y, end) !== null
    if (dialect === 'json') return endsLine
    const isList = this.text[this.at] === '['
    const hasArguments = calls.every((one) => Object.keys(one.arguments as object).length > 0)
    return isAlone || (isList && endsLine && hasArguments)
  }

  private take({ calls, isOpen }: Shaped, dialect: string, end: number): void {
    this.calls.push(...calls)
    this.dialects.push(dialect)
    this.isOpen = isOpen
    this.at = end
    this.skip(/[\s;,]*/y)
  }

  private read(at: number, dialects: readonly Dialect[], isMarked: boolean): (Shaped & { readonly dialect: string }) | null {
    for (const { name, marker, shapes } of dialects) {
      const open = marker ? this.match(marker, at) : null
      if (marker && !open) continue
      const from = at + (open?.[0].length ?? 0)
      for (const shape of shapes) {
        const read = shape(this.text, from, this.tools, isMarked || (open?.[0] ?? '') !== '')
        if (read) return { ...read, dialect: name, end: read.end + (this.match(CLOSERS, read.end)?.[0].length ?? 0) }
      }
    }
    return null
  }

  /** Words up to the next line, or to a tag after a sentence on this one. */
  private line(): void {
    const newline = this.text.indexOf('\n', this.at)
    const end = newline < 0 ? this.text.length : newline + 1
    const line = this.text.slice(this.at, end)
    const inline = /^[^`>|+\-\s"'][^`"]*?[.:!?…)]\s*(?=<(?:tool_call|function_call|\|python|\|tool)|\[TOOL_CALL)/.exec(line)
    const next = inline ? this.at + inline[0].length : end
    this.words.push(this.text.slice(this.at, next))
    this.at = next
    if (inline && !this.inline()) {
      this.words.push(this.text.slice(this.at, end))
      this.at = end
    }
  }

  private inline(): boolean {
    const read = this.read(
      this.at,
      DIALECTS.filter((one) => one.isInline),
      false,
    )
    if (!read) return false
    this.take(read, read.dialect, read.end)
    return true
  }
}

/** `functions.read <|constrain|>json<|message|>{…}` */
function harmonyCall(text: string, at: number, tools: readonly ToolSpec[], isMarked: boolean): Shaped | null {
  const open = /([\w.]+)[^{\n]*?<\|message\|>\s*(?=\{)/y
  open.lastIndex = at
  const found = open.exec(text)
  return found?.[1] === undefined ? null : namedAs(found[1], text, at + found[0].length, tools, isMarked)
}

function namedAs(name: string, text: string, at: number, tools: readonly ToolSpec[], isMarked: boolean): Shaped | null {
  const read = namedJson(name + text.slice(at), 0, tools, isMarked)
  return read && { ...read, end: read.end - name.length + at }
}
