/**
 * Where a hunk goes: exactly one place, or a rejection that says why. Never guesses: a weaker likeness counts only
 * where it is unique, a place without enough text to recognise does not, and what is there already is not added again.
 */
import { asInFile } from './indent.ts'
import { indentOf, type Likeness, type LinesIndex, type WantedLine } from './lines-index.ts'
import type { Aside, Hunk, HunkOutcome, LineEnd, QuotedLine, RejectReason } from './types.ts'

/** `at` is 0-based, before the first old line. */
export interface Place {
  readonly kind: 'place'
  readonly at: number
  readonly drift: number
  readonly aside?: Aside
  /** The hunk as it reads in the file, where its context is indented otherwise. */
  readonly hunk?: Hunk
}
export type Located = Place | (Exclude<HunkOutcome, { kind: 'applied' }> & { readonly isInDoubt?: true })

export type Identity = 'before' | 'after' | 'unknown'

const MAX_CANDIDATES = 9
const MAX_QUOTED = 8
const MAX_QUOTED_CHARS = 160
/** Word characters needed to believe a place that the patch did not state, exact or not. */
const ENOUGH_EXACT = 4
const ENOUGH_FUZZY = 12

/** `identity` is asked only where the text alone leaves two readings, as it may cost a hash of the file. */
export function locate(index: LinesIndex, hunk: Hunk, isTrusted: boolean, identity: () => Identity): Located {
  for (const text of hunk.unread ?? []) {
    const at = index.firstLike(text)
    if (at !== null) return { kind: 'rejected', reason: 'ambiguous', unread: { line: at + 1, text: (index.lines[at] ?? '').slice(0, MAX_QUOTED_CHARS) } }
  }
  return locateAnchored(index, hunk, isTrusted, identity)
}

function locateAnchored(index: LinesIndex, hunk: Hunk, isTrusted: boolean, identity: () => Identity): Located {
  if (hunk.anchors === undefined) return locateIn(index, hunk, isTrusted, identity)
  const led = followAnchors(index, hunk.anchors)
  if (typeof led === 'string') return { kind: 'rejected', reason: 'not_found', anchor: { text: led, line: null } }
  const [first = 0] = led
  const { before, lead } = sidesOf(hunk)
  // A hunk may change the anchor line itself; else what it changes stands below.
  const isOwn = before[lead]?.text.trim().startsWith(hunk.anchors.at(-1) ?? '') === true
  const located = locateIn(index.below(first - lead + (isOwn ? 0 : 1)), hunk, isTrusted, identity)
  if (located.kind !== 'rejected' || located.reason !== 'not_found') return located
  return { ...located, anchor: { text: hunk.anchors.at(-1) ?? '', line: first + 1 } }
}

/** The lines that the last anchor may mean: below one of the anchor before it, and within it where any is. A text: no line is it. */
function followAnchors(index: LinesIndex, anchors: readonly string[]): readonly number[] | string {
  let led: readonly number[] | null = null
  for (const anchor of anchors) {
    const outer: readonly number[] | null = led
    const lines: number[] = index.anchored(anchor).filter((line) => outer === null || line > (outer[0] ?? 0))
    const inside: number[] = outer === null ? [] : insideOf(index, outer, lines)
    if (lines.length === 0) return anchor
    led = inside.length > 0 ? inside : lines
  }
  return led ?? []
}

function insideOf(index: LinesIndex, openers: readonly number[], places: readonly number[]): number[] {
  let next = 0
  return places.filter((place) => {
    while ((openers[next] ?? Infinity) <= place) next++
    return next > 0 && index.isWithin(place, openers[next - 1] ?? place)
  })
}

function locateIn(index: LinesIndex, hunk: Hunk, isTrusted: boolean, identity: () => Identity): Located {
  const sides = sidesOf(hunk)
  if (sides.before.length === 0) return locateInsertion(index, hunk, sides, isTrusted, identity)
  const stated = hunk.oldStart === null || hunk.oldStart === 0 ? null : hunk.oldStart - 1
  const exact = locateExact(index, hunk, sides, isTrusted ? stated : null)
  if (typeof exact === 'number' && exact !== stated) {
    // The old lines stand somewhere else and the new ones stand too: then the place is the old lines' twin.
    const twin = findResult(index, hunk, sides)
    if (twin !== null && identity() !== 'before') {
      const isStated = hunk.newStart !== null && twin === hunk.newStart - 1
      if (isStated && (sides.gone.length === 0 || identity() === 'after')) return { kind: 'already_applied', line: twin + 1 }
      if (isStated || !overlaps(sides, exact, twin)) return rejected(index, sides, 'ambiguous', [exact, twin].toSorted(byNumber))
    }
  }
  if (exact !== null) return settle(index, sides, { place: exact, likeness: 0, stated }, identity)
  // At each strength what the patch wants to find comes before what it wants to leave: the longer of two readings.
  for (const likeness of [0, 1, 2, 3] as const) {
    const place = likeness === 0 ? null : locateLike(index, hunk, sides, likeness, stated)
    if (place !== null) return settleLike(index, hunk, sides, { place, likeness, stated }, identity)
    const applied = likeness === 3 || sides.gone.length > 0 ? null : findApplied(index, hunk, sides, likeness)
    if (applied !== null) return { kind: 'already_applied', line: applied + 1 }
  }
  const closed = findClosed(index, hunk, sides, identity)
  if (closed !== null) return { kind: 'already_applied', line: closed + 1 }
  return rejected(index, sides, 'not_found')
}

/** The one place that reads like the old lines; null where there is none that can be believed. */
function locateLike(index: LinesIndex, hunk: Hunk, sides: Sides, likeness: 1 | 2 | 3, stated: number | null): Exact | null {
  if (likeness === 3 && !mayMissOne(sides)) return null
  const places = index.find(sides.before, likeness, MAX_CANDIDATES)
  if (places.length === 0) return null
  const place = onlyPlace(index, hunk, places)
  if (place === null) return rejected(index, sides, 'ambiguous', places)
  if (!enough(sides.before, ENOUGH_FUZZY) && place !== stated) return null
  if (likeness === 3 && !isHeldBothSides(index, sides, place)) return null
  if (likeness === 3 && hunk.isOpen && !index.fits(sides.before.slice(-1), place + sides.before.length - 1, 2)) return null
  // What is wanted stands elsewhere, as nearly as told: the patch may have been applied there.
  const twin = sides.added > 0 ? index.find(sides.after, likeness, 1)[0] : undefined
  if (twin !== undefined && !overlaps(sides, place, twin)) return rejected(index, sides, 'ambiguous', [place, twin].toSorted(byNumber))
  return place
}

interface Sides {
  /** Whether the last line has its end, before and after; null where the hunk does not change that. */
  readonly finalEnd: { readonly before: boolean } | null
  /** Where the hunk changes nothing but line ends: those of its old and of its new lines. */
  readonly onlyEnds: { readonly before: readonly LineEnd[]; readonly after: readonly LineEnd[] } | null
  readonly before: readonly WantedLine[]
  readonly after: readonly WantedLine[]
  readonly added: number
  /** Where nothing new comes, also where lines that stay are written as removed and added: what the file loses, by place in `before`. */
  readonly gone: readonly number[]
  readonly removed: number
  readonly lead: number
  readonly trail: number
}

function sidesOf(hunk: Hunk): Sides {
  const wanted = (kinds: string): WantedLine[] =>
    hunk.lines
      .filter((line) => kinds.includes(line.kind))
      .map(({ kind, text }) => (kind === '+' ? { text, isContext: false, isAdded: true } : { text, isContext: kind === ' ' }))
  const hasEnd = (kinds: string) => hunk.lines.findLast((line) => kinds.includes(line.kind))?.end !== ''
  const firstChange = hunk.lines.findIndex((line) => line.kind !== ' ')
  const lastChange = hunk.lines.findLastIndex((line) => line.kind !== ' ')
  const [before, after] = [wanted(' -'), wanted(' +')]
  return {
    finalEnd: hasEnd(' -') === hasEnd(' +') ? null : { before: hasEnd(' -') },
    onlyEnds: onlyEnds(hunk),
    before,
    after,
    gone: goneOf(before, after),
    added: hunk.lines.filter((line) => line.kind === '+').length,
    removed: hunk.lines.filter((line) => line.kind === '-').length,
    lead: Math.max(firstChange, 0),
    trail: hunk.lines.length - 1 - lastChange,
  }
}

/** Empty where `after` is anything but `before` with lines left out. */
function goneOf(before: readonly WantedLine[], after: readonly WantedLine[]): number[] {
  let [from, to] = [0, 0]
  const isKept = (at: number, other: number) => before[at]?.text === after[other]?.text
  while (from < after.length && isKept(from, from)) from++
  while (to < after.length - from && isKept(before.length - 1 - to, after.length - 1 - to)) to++
  const gone: number[] = []
  let next = from
  for (let at = from; at < before.length - to; at++) {
    if (next < after.length - to && isKept(at, next)) next++
    else gone.push(at)
  }
  return next < after.length - to ? [] : gone
}

function onlyEnds(hunk: Hunk): Sides['onlyEnds'] {
  const [before, after] = [' -', ' +'].map((kinds) => hunk.lines.filter((line) => kinds.includes(line.kind)))
  const isSame = before?.length === after?.length && before?.every((line, at) => line.text === after?.[at]?.text && line.end !== '') === true
  return isSame && before && after ? { before: before.map((line) => line.end), after: after.map((line) => line.end) } : null
}

/** A hunk without old lines has only its stated line to go by, which then must agree with the new one, or an empty file. */
function locateInsertion(index: LinesIndex, hunk: Hunk, sides: Sides, isTrusted: boolean, identity: () => Identity): Located {
  const total = index.lines.length
  if (total === 0) return { kind: 'place', at: 0, drift: 0 }
  if (!isTrusted || hunk.oldStart === null || hunk.oldStart > total || (hunk.oldStart === 0 && hunk.newStart === null))
    return { kind: 'rejected', reason: 'not_found', found: 'no_place' }
  if (index.fits(sides.after, hunk.oldStart, 0) && identity() !== 'before') return { kind: 'already_applied', line: hunk.oldStart + 1, isInDoubt: true }
  return { kind: 'place', at: hunk.oldStart, drift: 0 }
}

type Exact = number | Extract<HunkOutcome, { kind: 'rejected' }>

function locateExact(index: LinesIndex, hunk: Hunk, sides: Sides, stated: number | null): Exact | null {
  if (stated !== null && index.fits(sides.before, stated, 0)) return stated
  const places = index.find(sides.before, 0, MAX_CANDIDATES)
  if (places.length === 0) return null
  const place = onlyPlace(index, hunk, places)
  if (place === null) return rejected(index, sides, 'ambiguous', places)
  // The stated line nearly fits as well: two readings, so none.
  if (stated !== null && index.fits(sides.before, stated, 2)) return rejected(index, sides, 'ambiguous', [stated, place])
  const isNamed = enough(sides.before, ENOUGH_EXACT) || sides.before.length === index.lines.length || isWordTaken(hunk)
  if (isNamed || (hunk.anchors !== undefined && inAnchors(index, hunk.anchors, [place]).length > 0)) return place
  return { kind: 'rejected', reason: 'not_found', found: 'too_short', nearest: quote(index.lines, place, Math.min(sides.before.length, MAX_QUOTED)) }
}

/** A removed line is not there by chance if it holds a word, however short, and no stated line speaks against its place. */
function isWordTaken({ oldStart, lines }: Hunk): boolean {
  return oldStart === null && lines.some((line) => line.kind === '-' && wordChars(line.text, 1) > 0)
}

interface Found {
  readonly place: Exact
  readonly likeness: Likeness
  readonly stated: number | null
}

/** The hunk settles as it reads in the file: where its context is indented otherwise, that decides about the added lines. */
function settleLike(index: LinesIndex, hunk: Hunk, sides: Sides, found: Found, identity: () => Identity): Located {
  const { place, likeness } = found
  if (typeof place !== 'number' || likeness < 2) return settle(index, sides, found, identity)
  const fitted = asInFile(hunk, index.lines, place)
  if (fitted === null) return { ...rejected(index, sides, 'not_found'), isIndentInDoubt: true }
  const located = settle(index, sidesOf(fitted), { ...found, likeness: 0 }, identity)
  if (located.kind !== 'place') return located
  const isIndented = fitted.lines.some((line, at) => line.kind === '+' && line.text !== hunk.lines[at]?.text)
  return { ...located, aside: isIndented ? 'indented' : (ASIDE[likeness] ?? 'word'), hunk: fitted }
}

const ASIDE: Readonly<Partial<Record<Likeness, Aside>>> = { 1: 'blanks', 2: 'indentation', 3: 'word' }

/** Checks that the place does not hold the result already, as after a first application with little context. */
function settle(index: LinesIndex, sides: Sides, { place, likeness, stated }: Found, identity: () => Identity): Located {
  if (typeof place !== 'number') return place
  const located: Place = {
    kind: 'place',
    at: place,
    drift: stated === null ? 0 : place - stated,
    ...(likeness === 0 ? {} : { aside: ASIDE[likeness] ?? 'word' }),
  }
  if (sides.onlyEnds !== null) {
    if (index.endsFit(sides.onlyEnds.before, place)) return located
    return index.endsFit(sides.onlyEnds.after, place) ? { kind: 'already_applied', line: place + 1 } : rejected(index, sides, 'not_found')
  }
  if (sides.added === 0 || sides.after.length < sides.before.length) {
    return identityMatters(index, sides, place) && identity() === 'after' ? { kind: 'already_applied', line: place + 1 } : located
  }
  const span = sides.after.length - sides.before.length
  for (let at = place; at >= place - span && at >= 0; at--) {
    if (!index.fits(sides.after, at, likeness) || endSaysBefore(index, sides)) continue
    if (identity() === 'before') return located
    // Held by context on both sides and fitting all the same: what it adds is like its context.
    return { kind: 'already_applied', line: at + 1, ...(sides.lead > 0 && sides.trail > 0 ? { isInDoubt: true } : {}) }
  }
  return located
}

/** The hunk gives or takes the final newline, and the file still is as before. */
function endSaysBefore(index: LinesIndex, sides: Sides): boolean {
  return sides.finalEnd !== null && sides.finalEnd.before !== index.lacksFinalEnd
}

/** A removal whose lines stand there twice: only the file's identity tells whether the first is gone. */
function identityMatters(index: LinesIndex, sides: Sides, place: number): boolean {
  return sides.removed > 0 && index.fits(sides.before, place + sides.removed, 0)
}

/** The exact result of a hunk that adds something, at its stated line or anywhere. */
function findResult(index: LinesIndex, hunk: Hunk, sides: Sides): number | null {
  if (sides.added === 0 && (sides.lead === 0 || sides.trail === 0)) return null
  const stated = hunk.newStart === null || hunk.newStart === 0 ? null : hunk.newStart - 1
  if (stated !== null && index.fits(sides.after, stated, 0)) return stated
  return sides.added > 0 && enough(sides.after, ENOUGH_FUZZY) ? (index.find(sides.after, 0, 1)[0] ?? null) : null
}

const byNumber = (a: number, b: number): number => a - b

function overlaps(sides: Sides, before: number, after: number): boolean {
  return after < before + sides.before.length && before < after + sides.after.length
}

/** Where the new lines stand already: at their stated line, or at the only place that reads like them. */
function findApplied(index: LinesIndex, hunk: Hunk, sides: Sides, likeness: 0 | 1 | 2): number | null {
  const { after } = sides
  if (after.length === 0 || endSaysBefore(index, sides)) return null
  const stated = hunk.newStart === null || hunk.newStart === 0 ? null : hunk.newStart - 1
  if (stated !== null && index.fits(after, stated, 0)) return stated
  if (!enough(after, ENOUGH_FUZZY)) return null
  const places = index.find(after, likeness, 2)
  return places.length === 1 ? (places[0] ?? null) : null
}

/**
 * Where a hunk that only takes away has done so. What stays proves that only if it closes over the gap, there where the patch says, and nothing that goes
 * stands anywhere any more; else by the file's identity.
 */
function findClosed(index: LinesIndex, hunk: Hunk, sides: Sides, identity: () => Identity): number | null {
  const { before, after, gone } = sides
  if (gone.length === 0 || gone[0] === 0 || gone.at(-1) === before.length - 1 || endSaysBefore(index, sides)) return null
  const stated = hunk.newStart === null || hunk.newStart === 0 ? null : hunk.newStart - 1
  if (stated !== null && index.fits(after, stated, 0)) return identity() === 'after' || (identity() === 'unknown' && !stillStands(index, sides)) ? stated : null
  const places = index.find(after, 0, 2)
  return places.length === 1 && identity() === 'after' ? (places[0] ?? null) : null
}

/** A line that goes and says something, as it is or nearly. */
function stillStands(index: LinesIndex, { before, gone }: Sides): boolean {
  return gone.some((at) => {
    const { text } = before[at] ?? { text: '' }
    return wordChars(text, 3) >= 3 && index.find([{ text, isContext: true }], 2, 1).length > 0
  })
}

/** With one context line off, the removed lines or exact context on both sides must hold the place. */
function mayMissOne(sides: Sides): boolean {
  if (sides.removed > 0) return sides.before.some((line) => !line.isContext && wordChars(line.text, 3) >= 3)
  return sides.lead > 0 && sides.trail > 0 && sides.before.length >= 4
}

function isHeldBothSides(index: LinesIndex, sides: Sides, place: number): boolean {
  if (sides.removed > 0) return true
  const holds = (offset: number): boolean => {
    const text = sides.before[offset]?.text ?? ''
    return wordChars(text, 3) >= 3 && index.lines[place + offset]?.trim() === text.trim()
  }
  const offsets = sides.before.map((_, offset) => offset)
  return offsets.slice(0, sides.lead).some(holds) && offsets.slice(-sides.trail).some(holds)
}

function onlyPlace(index: LinesIndex, hunk: Hunk, places: readonly number[]): number | null {
  if (places.length === 1) return places[0] ?? null
  if (places.length >= MAX_CANDIDATES) return null
  const inside = hunk.anchors === undefined ? inSection(index, hunk, places) : inAnchors(index, hunk.anchors, places)
  return inside.length === 1 ? (inside[0] ?? null) : null
}

function inAnchors(index: LinesIndex, anchors: readonly string[], places: readonly number[]): number[] {
  const led = followAnchors(index, anchors)
  return typeof led === 'string' ? [] : insideOf(index, led, places)
}

function inSection(index: LinesIndex, { section }: Hunk, places: readonly number[]): number[] {
  const scope = section === undefined ? null : scopeOf(index.lines, section)
  return scope === null ? [] : places.filter((place) => place > scope.from && place <= scope.to)
}

/** The lines below the one line that reads like `section`, up to the next with no deeper indentation. */
function scopeOf(lines: readonly string[], section: string): { from: number; to: number } | null {
  let from = -1
  for (let at = 0; at < lines.length; at++) {
    const text = lines[at] ?? ''
    if (!text.includes(section) || !text.trim().startsWith(section)) continue
    if (from >= 0) return null
    from = at
  }
  if (from < 0) return null
  const depth = indentOf(lines[from] ?? '')
  for (let at = from + 1; at < lines.length; at++) {
    const text = lines[at] ?? ''
    if (text.trim() !== '' && indentOf(text) <= depth) return { from, to: at }
  }
  return { from, to: lines.length - 1 }
}

function enough(lines: readonly WantedLine[], needed: number): boolean {
  let count = 0
  for (const line of lines) {
    count += wordChars(line.text, needed - count)
    if (count >= needed) return true
  }
  return false
}

function wordChars(text: string, needed: number): number {
  let count = 0
  for (let at = 0; at < text.length && count < needed; at++) {
    const code = text.charCodeAt(at)
    if ((code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code > 127) count++
  }
  return count
}

function rejected(index: LinesIndex, sides: Sides, reason: RejectReason, places?: readonly number[]): Extract<HunkOutcome, { kind: 'rejected' }> {
  if (places !== undefined) return { kind: 'rejected', reason, candidates: places.map((place) => place + 1) }
  const at = index.nearest(sides.before)
  if (at === null) return { kind: 'rejected', reason }
  return { kind: 'rejected', reason, nearest: quote(index.lines, at, Math.min(sides.before.length, MAX_QUOTED)) }
}

function quote(lines: readonly string[], from: number, count: number): QuotedLine[] {
  return lines.slice(from, from + count).map((text, offset) => ({ line: from + offset + 1, text: text.slice(0, MAX_QUOTED_CHARS) }))
}
