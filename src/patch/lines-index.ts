/**
 * Where a run of lines occurs in a file, at four strengths of likeness. Linear for ordinary files; a budget of line
 * comparisons bounds hostile ones. Knows nothing of hunks' meaning: that is `locate.ts`.
 */

import type { TextFile } from './text-file.ts'
import type { LineEnd } from './types.ts'

/** 0 equal; 1 trailing blanks aside; 2 indentation of context aside too; 3 one context line one token off as well. */
export type Likeness = 0 | 1 | 2 | 3

export interface WantedLine {
  readonly text: string
  /** Only context may drift; removed lines may differ in trailing blanks at most. */
  readonly isContext: boolean
  /** Of what a patch adds: it may stand there already only byte by byte. */
  readonly isAdded?: true
}

export interface Budget {
  left: number
}

export interface LinesIndex {
  readonly lines: readonly string[]
  readonly lacksFinalEnd: boolean
  /** Whether the lines from `at` on end as told; a missing final newline agrees with any end. */
  endsFit(ends: readonly LineEnd[], at: number): boolean
  fits(wanted: readonly WantedLine[], at: number, likeness: Likeness): boolean
  /** Up to `limit` 0-based places, ascending. */
  find(wanted: readonly WantedLine[], likeness: Likeness, limit: number): number[]
  /** The first line that reads like `text`, blanks around it aside. */
  firstLike(text: string): number | null
  /** The lines that read like an anchor, its indentation aside: whole where any does, else as their beginning. */
  anchored(anchor: string): readonly number[]
  /** Whether `at` lies below a line and deeper than it, as what belongs to it does. */
  isWithin(at: number, opener: number): boolean
  /** The index without the places above `from`. */
  below(from: number): LinesIndex
  /** The place that shares most lines with `wanted`, for quoting. */
  nearest(wanted: readonly WantedLine[]): number | null
}

const MAX_TOKEN_LINE = 2000

/** What will be looked for; the places of other texts are not kept, so that a large file costs no large table. */
export interface Asked {
  readonly texts: readonly string[]
  /** Those that `firstLike` is asked about. */
  readonly doubted: readonly string[]
}

export function indexLines({ lines, ends }: Pick<TextFile, 'lines' | 'ends'>, { texts: asked, doubted }: Asked, budget: Budget): LinesIndex {
  const tables = new Map<number, Map<string, number[]>>()
  const places = (likeness: Likeness, text: string): readonly number[] => {
    const level = Math.min(likeness, 2)
    let table = tables.get(level)
    if (table === undefined) {
      table = tabulate(lines, asked, level)
      tables.set(level, table)
    }
    return table.get(keyOf(text, level)) ?? []
  }
  const fits = (wanted: readonly WantedLine[], at: number, likeness: Likeness): boolean => {
    if (at < 0 || at + wanted.length > lines.length) return false
    let misses = 0
    for (let index = 0; index < wanted.length; index++) {
      if (--budget.left < 0) return false
      const want = wanted[index]
      const have = lines[at + index]
      if (want === undefined || have === undefined) return false
      if (lineFits(want, have, likeness)) continue
      if (likeness < 3 || !want.isContext || ++misses > 1 || !differsByOneToken(want.text, have)) return false
    }
    return true
  }
  const findFrom = (from: number, wanted: readonly WantedLine[], likeness: Likeness, limit: number): number[] => {
    const found = new Set<number>()
    for (const anchor of anchors(wanted, likeness, places)) {
      for (const place of places(likeness, wanted[anchor]?.text ?? '')) {
        if (--budget.left < 0) return []
        if (place - anchor >= from && !found.has(place - anchor) && fits(wanted, place - anchor, likeness)) found.add(place - anchor)
        if (found.size >= limit) break
      }
    }
    return [...found].toSorted((a, b) => a - b)
  }
  const endsFit = (wanted: readonly LineEnd[], at: number): boolean => wanted.every((end, offset) => ends[at + offset] === end || ends[at + offset] === '')
  let standing: ReadonlyMap<string, number> | undefined
  const known = new Map<string, readonly number[]>()
  const anchored = (anchor: string): readonly number[] => {
    budget.left -= known.get(anchor)?.length ?? lines.length
    const found = budget.left < 0 ? [] : (known.get(anchor) ?? anchorLines(lines, anchor))
    known.set(anchor, found)
    return found
  }
  const isWithin = (at: number, opener: number): boolean => {
    const depth = indentOf(lines[opener] ?? '')
    for (let line = opener + 1; line <= at; line++) {
      if (--budget.left < 0) return false
      const text = lines[line] ?? ''
      if (indentOf(text) <= depth && keyOf(text, 2) !== '') return false
    }
    return at > opener
  }
  const below = (from: number): LinesIndex => ({
    lines,
    lacksFinalEnd: ends.at(-1) === '',
    endsFit,
    fits: (wanted, at, likeness) => at >= from && fits(wanted, at, likeness),
    find: (wanted, likeness, limit) => findFrom(from, wanted, likeness, limit),
    nearest: (wanted) => mostShared(wanted, lines.length, places),
    firstLike: (text) => (standing ??= firstPlaces(lines, doubted)).get(keyOf(text, 2)) ?? null,
    anchored,
    isWithin,
    below,
  })
  return below(0)
}

function lineFits(want: WantedLine, have: string, likeness: Likeness): boolean {
  if (want.text === have) return true
  if (likeness === 0 || want.isAdded) return false
  if (likeness === 1 || !want.isContext) return keyOf(want.text, 1) === keyOf(have, 1)
  return keyOf(want.text, 2) === keyOf(have, 2)
}

/** The rarest line; where one context line may be off, two, since at most one of them can be the one that is. */
function anchors(wanted: readonly WantedLine[], likeness: Likeness, places: (l: Likeness, t: string) => readonly number[]): number[] {
  const counts = wanted.map((line, index) => ({
    index,
    isContext: line.isContext,
    count: places(likeness, line.text).length,
  }))
  const byCount = counts.toSorted((a, b) => a.count - b.count)
  if (likeness < 3) return byCount[0] === undefined || byCount[0].count === 0 ? [] : [byCount[0].index]
  const removed = byCount.find((line) => !line.isContext)
  if (removed !== undefined) return removed.count === 0 ? [] : [removed.index]
  return byCount
    .filter((line) => line.count > 0)
    .slice(0, 2)
    .map((line) => line.index)
}

function anchorLines(lines: readonly string[], anchor: string): number[] {
  const [whole, begun]: [number[], number[]] = [[], []]
  for (const [at, line] of lines.entries()) {
    if (!line.includes(anchor)) continue
    const text = keyOf(line, 2)
    if (text === anchor) whole.push(at)
    else if (text.startsWith(anchor) && !/^\w\w/.test(text.slice(anchor.length - 1, anchor.length + 1))) begun.push(at)
  }
  return whole.length > 0 ? whole : begun
}

function mostShared(wanted: readonly WantedLine[], total: number, places: (l: Likeness, t: string) => readonly number[]): number | null {
  const votes = new Map<number, number>()
  for (let index = 0; index < Math.min(wanted.length, 200); index++) {
    const text = wanted[index]?.text ?? ''
    const at = places(2, text)
    if (at.length > 40 || keyOf(text, 2) === '') continue
    for (const place of at) votes.set(place - index, (votes.get(place - index) ?? 0) + 1)
  }
  let best: [number, number] | null = null
  for (const [place, count] of votes) if (best === null || count > best[1] || (count === best[1] && place < best[0])) best = [place, count]
  return best === null ? null : Math.min(Math.max(best[0], 0), Math.max(total - 1, 0))
}

function tabulate(lines: readonly string[], asked: readonly string[], level: number): Map<string, number[]> {
  const table = new Map(asked.map((text) => [keyOf(text, level), [] as number[]]))
  for (let index = 0; index < lines.length; index++) table.get(keyOf(lines[index] ?? '', level))?.push(index)
  return table
}

function firstPlaces(lines: readonly string[], texts: readonly string[]): ReadonlyMap<string, number> {
  const wanted = new Set(texts.map((text) => keyOf(text, 2)))
  const found = new Map<string, number>()
  for (const [at, line] of lines.entries()) {
    const key = keyOf(line, 2)
    if (wanted.has(key) && !found.has(key)) found.set(key, at)
  }
  return found
}

/** Blanks are tabs and spaces only: other white space can be content. Written without patterns, to stay linear. */
function keyOf(text: string, level: number): string {
  if (level === 0) return text
  let [from, to] = [0, text.length]
  while (to > 0 && isBlank(text.charCodeAt(to - 1))) to--
  if (level >= 2) while (from < to && isBlank(text.charCodeAt(from))) from++
  return from === 0 && to === text.length ? text : text.slice(from, to)
}

export function indentOf(text: string): number {
  return text.length - text.trimStart().length
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

/** One token replaced, added or dropped, and something left that agrees. */
export function differsByOneToken(want: string, have: string): boolean {
  if (want.length > MAX_TOKEN_LINE || have.length > MAX_TOKEN_LINE) return false
  const [a, b] = [tokens(want), tokens(have)]
  if (Math.abs(a.length - b.length) > 1) return false
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++
  return head + tail > 0 && a.length - head - tail <= 1 && b.length - head - tail <= 1
}

function tokens(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? []
}
