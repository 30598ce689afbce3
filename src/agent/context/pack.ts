/**
 * Packs what the calls of an attempt came to into a part of the window: the most relevant per token first, each in the
 * longest form that fits (full, snippet, summary, citation), and says what was left out and why. The same input gives the
 * same bytes. Source: contracts/rag.md section 4. Pure.
 */
import { canonicalJson } from '../../core/json.ts'
import { estimateTokens } from '../../models/prices.ts'
import { argsOf, callTitle, changedFiles, citeOf, testWords, type Entry, type Result } from './story.ts'

export const FORMS = ['full', 'snippet', 'summary', 'citation'] as const
export type Form = (typeof FORMS)[number]

export interface PackedItem {
  /** The citation id. */
  readonly id: string
  readonly form: Form
  readonly tokens: number
  readonly file?: string
  readonly lines?: readonly [number, number]
}

export interface Dropped {
  readonly id: string
  readonly reason: string
}

export interface Packed {
  readonly items: readonly PackedItem[]
  readonly dropped: readonly Dropped[]
  readonly used_tokens: number
  /** The items in the order of their turns. */
  readonly text: string
}

interface Piece {
  readonly id: string
  readonly order: number
  readonly title: string
  readonly text: string
  readonly relevance: number
  readonly file?: string
  readonly lines?: readonly [number, number]
}

/** `targets`: files that the task is about; those that were changed are so by themselves. */
export function pack(entries: readonly Entry[], targets: readonly string[], maxTokens: number): Packed {
  const { pieces, dropped } = piecesOf(entries, new Set(targets))
  const byValue = pieces.toSorted((a, b) => b.relevance / tokensIn(a, 'full') - a.relevance / tokensIn(b, 'full') || a.order - b.order)
  const taken: { piece: Piece; form: Form; tokens: number }[] = []
  let left = maxTokens
  for (const piece of byValue) {
    const form = FORMS.find((one) => tokensIn(piece, one) <= left)
    if (form === undefined) dropped.push({ piece, reason: 'over the fraction of the window' })
    else {
      const tokens = tokensIn(piece, form)
      taken.push({ piece, form, tokens })
      left -= tokens
    }
  }
  const items = taken.toSorted((a, b) => a.piece.order - b.piece.order)
  return {
    items: items.map(({ piece: { id, file, lines }, form, tokens }) => ({
      id,
      form,
      tokens,
      ...(file === undefined ? {} : { file }),
      ...(lines ? { lines } : {}),
    })),
    dropped: dropped.toSorted((a, b) => a.piece.order - b.piece.order).map(({ piece, reason }) => ({ id: piece.id, reason })),
    used_tokens: maxTokens - left,
    text: items.map(({ piece, form }) => printed(piece, form)).join('\n'),
  }
}

const tokensIn = (piece: Piece, form: Form): number => estimateTokens(`${printed(piece, form)}\n`)

const SNIPPET_LINES = 12
const SNIPPET_CHARACTERS = 600
const SUMMARY_CHARACTERS = 160

function printed({ id, title, text }: Piece, form: Form): string {
  const head = `[cite:${id}] ${title}`
  if (form === 'citation') return head.slice(0, 100)
  if (form === 'summary') return `${head}: ${(text.split('\n')[0] ?? '').slice(0, SUMMARY_CHARACTERS)}`
  return `${head}\n${form === 'full' ? text : snippet(text)}`
}

/** Its first and last lines, and how many are between them. */
function snippet(text: string): string {
  const lines = text.split('\n')
  const half = SNIPPET_LINES / 2
  const cut = (part: string) => (part.length <= SNIPPET_CHARACTERS / 2 ? part : `${part.slice(0, SNIPPET_CHARACTERS / 2)} …`)
  if (lines.length <= SNIPPET_LINES) return text.length <= SNIPPET_CHARACTERS ? text : cut(text)
  return [cut(lines.slice(0, half).join('\n')), `… ${lines.length - SNIPPET_LINES} lines …`, cut(lines.slice(-half).join('\n'))].join('\n')
}

type Drop = { readonly piece: Piece; readonly reason: string }

/** From the last to the first: what came later is what holds. */
function piecesOf(entries: readonly Entry[], targets: Set<string>): { pieces: Piece[]; dropped: Drop[] } {
  const results = entries.filter((entry) => entry.kind === 'result')
  const touched = new Set([...targets, ...results.flatMap(changedFiles)])
  const pieces: Piece[] = []
  const dropped: Drop[] = []
  const seen = { changed: new Map<string, string>(), shown: new Map<string, Shown[]>(), same: new Map<string, string>(), tests: null as string | null }
  for (const [order, entry] of [...entries.entries()].toReversed()) {
    if (entry.kind === 'answer' && entry.text.trim() !== '' && entry.calls.length > 0)
      pieces.push({ id: `t${entry.turn}`, order, title: 'you wrote', text: entry.text, relevance: 0.2 })
    if (entry.kind !== 'result') continue
    const piece = pieceOf(entry, order, touched)
    const outdated = outdatedBy(entry, piece, seen)
    if (outdated === null) pieces.push(trimmed(piece, entry, seen.shown))
    else dropped.push({ piece, reason: outdated })
    remember(entry, piece, seen)
  }
  return { pieces, dropped }
}

function pieceOf(result: Result, order: number, touched: ReadonlySet<string>): Piece {
  const { call, text } = result
  const file = call.name === 'read' && typeof argsOf(call)['path'] === 'string' ? String(argsOf(call)['path']) : undefined
  return {
    id: citeOf(result),
    order,
    title: callTitle(call),
    text,
    relevance: relevanceOf(result, file !== undefined && touched.has(file)),
    ...(file === undefined || result.code !== null ? {} : { file, lines: linesOf(result) }),
  }
}

function relevanceOf(result: Result, isTarget: boolean): number {
  if (isTarget) return 1
  if (changedFiles(result).length > 0) return 0.6
  const tests = testWords(result)
  if (tests !== null && !/^\d+ passed, 0 failed/.test(tests)) return 0.4
  return result.call.name === 'read' ? 0.35 : 0.2
}

function linesOf({ call, text }: Result): [number, number] {
  const { from } = argsOf(call)
  const first = typeof from === 'number' && from >= 1 ? from : 1
  return [first, first + text.replace(/\n$/, '').split('\n').length - 1]
}

interface Shown {
  readonly lines: readonly [number, number]
  readonly id: string
}

interface Seen {
  /** File → what changed it last. */
  readonly changed: Map<string, string>
  readonly shown: Map<string, Shown[]>
  /** A call as it stands → when it was made last. */
  readonly same: Map<string, string>
  tests: string | null
}

const keyOf = ({ call }: Result): string => `${call.name} ${canonicalJson(call.arguments)}`

function outdatedBy(result: Result, piece: Piece, seen: Seen): string | null {
  const { file, lines } = piece
  if (file !== undefined && lines) {
    const changed = seen.changed.get(file)
    if (changed !== undefined) return `changed by ${changed}`
    const covering = seen.shown.get(file)?.find((one) => one.lines[0] <= lines[0] && one.lines[1] >= lines[1])
    return covering ? `the same lines are in ${covering.id}` : null
  }
  if (testWords(result) !== null && result.call.name === 'test' && seen.tests !== null) return `the tests ran again in ${seen.tests}`
  const again = seen.same.get(keyOf(result))
  return again === undefined ? null : `called again in ${again}`
}

function remember(result: Result, { id, file, lines }: Piece, seen: Seen): void {
  for (const changed of changedFiles(result)) if (!seen.changed.has(changed)) seen.changed.set(changed, id)
  if (file !== undefined && lines) seen.shown.set(file, [...(seen.shown.get(file) ?? []), { lines, id }])
  if (testWords(result) !== null) seen.tests ??= id
  if (!seen.same.has(keyOf(result))) seen.same.set(keyOf(result), id)
}

/** Without the lines that a later reading of the file shows: no line is told twice. What is left in one piece stays. */
function trimmed(piece: Piece, result: Result, shown: ReadonlyMap<string, readonly Shown[]>): Piece {
  const { file, lines } = piece
  const others = file === undefined ? [] : (shown.get(file) ?? [])
  if (!lines || others.length === 0 || isCut(result.text)) return piece
  const [start, end] = lines
  let [best, from]: [[number, number], number] = [[0, -1], start]
  for (let line = start; line <= end + 1; line++) {
    const isFree = line <= end && !others.some((one) => one.lines[0] <= line && line <= one.lines[1])
    if (isFree) continue
    if (line - from > best[1] - best[0] + 1) best = [from, line - 1]
    from = line + 1
  }
  if (best[1] - best[0] === end - start) return piece
  const text = piece.text.split('\n').slice(best[0] - start, best[1] - start + 1)
  return { ...piece, title: `read ${file} ${best[0]}-${best[1]}`, text: text.join('\n'), lines: best }
}

const isCut = (text: string): boolean => /^(… \d+ characters left out …|\(cut here; use from and to\))$/m.test(text)
