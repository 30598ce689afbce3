/**
 * What happened in one attempt, as the ledger holds it: a person's words, the model's answers, what its calls came to.
 * From it alone the context of any turn is built, so that the same ledger gives the same bytes. Types, and pure reading.
 */
import type { ErrorCode } from '../../core/errors.ts'
import { canonicalJson, type Json } from '../../core/json.ts'
import type { ToolCall } from '../../models/contract.ts'

/** `turn`: of the request that was the first to hold it; of answers and results, the turn they belong to. */
export type Entry =
  /** `n`: the how many-th of the run. */
  | { readonly kind: 'told'; readonly turn: number; readonly n: number; readonly text: string }
  | { readonly kind: 'note'; readonly turn: number; readonly text: string }
  /** Of the repository, for a folder that the turn's calls touched. */
  | { readonly kind: 'instructions'; readonly turn: number; readonly text: string }
  | { readonly kind: 'answer'; readonly turn: number; readonly text: string; readonly calls: readonly ToolCall[] }
  | Result

export interface Result {
  readonly kind: 'result'
  readonly turn: number
  /** 1-based, within its turn. */
  readonly index: number
  readonly call: ToolCall
  /** As the model is told it. */
  readonly text: string
  /** Of a call that was refused or failed. */
  readonly code: ErrorCode | null
}

export interface Opening {
  readonly system: string
  /** The first message; holds `words`. */
  readonly goal: string
  /** The person's own words in it, verbatim. */
  readonly words: readonly string[]
  /** Files that the plan names. */
  readonly files: readonly string[]
}

/** `t4c1`: how a piece is cited. */
export function citeOf({ turn, index }: Pick<Result, 'turn' | 'index'>): string {
  return `t${turn}c${index}`
}

export type Args = Readonly<Record<string, Json>>

/** Arguments that are none (malformed, or no object) are as if there were none. */
export function argsOf(call: ToolCall): Args {
  const given = call.arguments
  return given !== null && typeof given === 'object' && !Array.isArray(given) ? (given as Args) : {}
}

/** A call in one line: `read src/a.ts from 1 to 40`, `run npm run lint`; whatever order its arguments came in. */
export function callTitle(call: ToolCall): string {
  const rank = (key: string) => `${NAMED.has(key) ? 0 : 1}${key}`
  const told = Object.entries(argsOf(call))
    .filter(([key]) => !LONG.has(key))
    .toSorted(([a], [b]) => (rank(a) < rank(b) ? -1 : 1))
  const words = told.map(([key, value]) => (Array.isArray(value) ? value.join(' ') : NAMED.has(key) ? plainWord(value) : `${key} ${plainWord(value)}`))
  return [call.name, ...words].join(' ').replace(/\s+/g, ' ').slice(0, 120)
}

/** Said without its name. */
const NAMED = new Set(['path', 'query'])
const LONG = new Set(['old', 'new', 'content', 'diff', 'summary', 'malformed'])
const plainWord = (value: Json): string => (typeof value === 'string' ? value : canonicalJson(value))

const CHANGES = new Set(['edit', 'write', 'patch'])

/** Files that a call changed, by what it was told; none where it failed. */
export function changedFiles({ call, text, code }: Result): string[] {
  if (code !== null || !CHANGES.has(call.name)) return []
  return text.split('\n').flatMap((line) => /^(.+): changed(?: at line [\d, ]+)?$/.exec(line)?.[1] ?? [])
}

/** What the tests said in a result, with the counts first; null where none were run. */
export function testWords({ call, text, code }: Result): string | null {
  if (call.name !== 'test' && !CHANGES.has(call.name)) return null
  if (code !== null && call.name === 'test') return null
  const lines = text.split('\n')
  const at = lines.findIndex((line) => /^\d+ passed, \d+ failed/.test(line))
  return at < 0 ? null : lines.slice(at).join('\n')
}

/** Whether all tests were run, and not only those that the call named. */
export function isWhole(call: ToolCall): boolean {
  const { args } = argsOf(call)
  return call.name !== 'test' || !Array.isArray(args) || args.length === 0
}

export const failedLines = (words: string): string[] => words.split('\n').filter((line) => line.startsWith('FAILED '))
