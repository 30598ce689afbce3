/**
 * How added lines are meant whose context is indented otherwise in the patch than in the file: as they are, by the rule
 * that maps the context to the file, or in doubt. Looks at the lines that matched only; knows no language. By the rule only where
 * the context is in the new text as well: in a diff it is written once, and only it may have lost its indentation.
 */
import type { Hunk, PatchLine } from './types.ts'

/** The hunk as it reads in `lines` from `at` on, context and all; null where how its added lines are meant is in doubt. */
export function asInFile(hunk: Hunk, lines: readonly string[], at: number): Hunk | null {
  let position = at
  const pairs: { line: PatchLine; found: string }[] = hunk.lines.flatMap((line) => (line.kind === '+' ? [] : [{ line, found: lines[position++] ?? '' }]))
  const rule = ruleOf(pairs)
  const own = new Set(pairs.map(({ found }) => indentation(found)))
  const isAsWritten = !isDrifting(pairs) || isHeldByRemoved(pairs) || isOtherwiseMade(hunk, pairs)
  const indent = isAsWritten ? (text: string) => text : meantBy(rule, hunk.isOfTwoTexts === true ? own : null)
  position = at
  const fitted: PatchLine[] = []
  for (const line of hunk.lines) {
    const text = line.kind === '+' ? indent(line.text) : (lines[position++] ?? '')
    if (text === null) return null
    fitted.push({ ...line, text })
  }
  return { ...hunk, lines: fitted }
}

type Pair = { readonly line: PatchLine; readonly found: string }

function isDrifting(pairs: readonly Pair[]): boolean {
  return pairs.some(({ line, found }) => !isBlank(found) && indentation(line.text) !== indentation(found))
}

/** Removed lines agree with the file, so that an indented one shows that the lines that change are written as the file is. */
function isHeldByRemoved(pairs: readonly Pair[]): boolean {
  return pairs.some(({ line }) => line.kind === '-' && !isBlank(line.text) && indentation(line.text) !== '')
}

/** Tabs indent the context and blanks what is added, or the other way round, as the file is: then only the context differs. */
function isOtherwiseMade(hunk: Hunk, pairs: readonly Pair[]): boolean {
  const [context, found] = [pairs.map(({ line }) => line.text), pairs.map((pair) => pair.found)].map(madeOf)
  const added = madeOf(hunk.lines.flatMap((line) => (line.kind === '+' ? [line.text] : [])))
  return added !== null && context !== null && added !== context && added === found
}

/** What indents all of the lines, if any does and nothing else. */
function madeOf(texts: readonly string[]): 'tabs' | 'blanks' | null {
  const all = texts.map(indentation).join('')
  if (all === '') return null
  return /^\t+$/.test(all) ? 'tabs' : /^ +$/.test(all) ? 'blanks' : null
}

/** From the indentation in the patch to that in the file; null where the patch's stands for several. */
function ruleOf(pairs: readonly Pair[]): Map<string, string | null> {
  const rule = new Map<string, string | null>()
  for (const { line, found } of pairs) {
    if (isBlank(found)) continue
    const [from, to] = [indentation(line.text), indentation(found)]
    rule.set(from, rule.has(from) && rule.get(from) !== to ? null : to)
  }
  return rule
}

/** `own`: the indentations of the file there; null where the rule does not reach to added lines. */
function meantBy(rule: ReadonlyMap<string, string | null>, own: ReadonlySet<string> | null): (text: string) => string | null {
  return (text) => {
    if (isBlank(text)) return text
    const from = indentation(text)
    const to = rule.get(from) ?? null
    if (to === from) return text
    if (to === null || own === null || own.has(from)) return null
    return to + text.slice(from.length)
  }
}

function indentation(text: string): string {
  return /^[\t ]*/.exec(text)?.[0] ?? ''
}

function isBlank(text: string): boolean {
  return /^[\t ]*$/.test(text)
}
