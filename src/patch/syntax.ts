/**
 * Whether a text still reads as its language. JSON, JavaScript and TypeScript by the parsers that Node brings; a caller
 * who has a parser for another language gives it. Nothing is run. A text that did not parse before says nothing.
 */
import { stripTypeScriptTypes } from 'node:module'
import { extname } from 'node:path'
import * as vm from 'node:vm'

export interface SyntaxBreak {
  readonly path: string
  /** 1-based; null where the parser does not tell. */
  readonly line: number | null
  readonly message: string
  /** Why it may read all the same; absent where the parser is that of the language itself. */
  readonly doubt?: string
}

const hasModules = typeof (vm.SourceTextModule as unknown) === 'function'
const MAX_CHARACTERS = 1_000_000

/** `unknown`: it cannot be told, or not in bounded time. */
export type Reading = 'reads' | 'unknown' | SyntaxProblem
export type ReadText = (text: string) => Reading | Promise<Reading>
export type SyntaxProblem = Omit<SyntaxBreak, 'path'>

type Parse = (text: string) => void

/** V8's own parser where it may read modules (`--experimental-vm-modules`, as the launcher sets it): loading the other costs more than an edit. */
const javaScript: Parse = (text) => {
  try {
    void new vm.Script(text)
  } catch {
    if (!hasModules) return typeScript(text)
    try {
      void new vm.SourceTextModule(text)
    } catch (error) {
      typeScript(text) // tells the line, which V8 does not
      throw error
    }
  }
}

/** What Node cannot run without a compiler (an enum) is read all the same. */
const typeScript: Parse = (text) => {
  try {
    stripTypeScriptTypes(text)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') throw error
  }
}

const PARSERS: Readonly<Record<string, Parse>> = {
  '.json': (text) => void JSON.parse(text),
  '.js': javaScript,
  '.mjs': javaScript,
  '.cjs': javaScript,
  '.ts': typeScript,
  '.mts': typeScript,
  '.cts': typeScript,
}

/** Whether Node's own parsers know the language of `path`. */
export const nodeReads = (path: string): boolean => PARSERS[extname(path)] !== undefined

/** What a change broke; null when it parses, or did not before, or cannot be told. `read` is for what Node cannot read. */
export async function brokenSyntax(path: string, before: string | null, after: string | null, read: ReadText = nodeReader(path)): Promise<SyntaxBreak | null> {
  if (before === null || after === null || after.length > MAX_CHARACTERS || before.length > MAX_CHARACTERS) return null
  const problem = await read(after)
  if (typeof problem === 'string' || (await read(before)) !== 'reads') return null
  return { path, ...problem, line: problem.line && Math.max(problem.line, firstDifference(before, after)) }
}

/** A parser that looks for a beginning may name an earlier line, which was there before and was right. 1-based. */
function firstDifference(before: string, after: string): number {
  const old = before.split(/\r\n|\r|\n/)
  const lines = after.split(/\r\n|\r|\n/)
  const at = lines.findIndex((line, index) => line !== old[index])
  return at === -1 ? lines.length : at + 1
}

function nodeReader(path: string): ReadText {
  const parse = PARSERS[extname(path)]
  return (text) => (parse ? (problemOf(parse, text) ?? 'reads') : 'unknown')
}

function problemOf(parse: Parse, text: string): SyntaxProblem | null {
  try {
    parse(text)
    return null
  } catch (error) {
    const { message, stack = '' } = error as Error
    // JSON says `at position 12`, the others begin their stack with `file:3`.
    const position = /at position (\d+)/.exec(message)?.[1]
    const line = position === undefined ? /^[^\n]*:(\d+)\n/.exec(stack)?.[1] : text.slice(0, Number(position)).split('\n').length
    return { line: line === undefined ? null : Number(line), message: (message.split('\n')[0] ?? '').slice(0, 120) }
  }
}
