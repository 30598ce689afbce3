/**
 * Outcomes in words that lead a model to the right second try: what happened, what stands there, what to do.
 * Bounded: a few quoted lines per hunk, a few rejected hunks per patch.
 */
import type { FileResult, PatchResult } from './apply.ts'
import type { Aside, Found, HunkOutcome, ParseResult } from './types.ts'

const MAX_CHARS = 4000
const MAX_QUOTED_CHARS = 160

export function explainHunk(outcome: HunkOutcome, path: string, patchLine?: number): string {
  const where = patchLine === undefined ? path : `${path} (patch line ${patchLine})`
  if (outcome.kind === 'applied') return `${path}:${outcome.line} fits, ${fitWords(outcome)}`
  if (outcome.kind === 'already_applied') return `${path}:${outcome.line} already applied: nothing to do, do not send it again`
  switch (outcome.reason) {
    case 'not_found':
      return `${where}: not found. ${missing(outcome)}`
    case 'ambiguous':
      return `${where}: ambiguous. ${ambiguity(outcome)}`
    case 'overlap':
      return `${where}: overlaps another change of this patch. Join the two hunks into one.`
    case 'stale':
      return `${where}: the file is not in the state the patch expects: ${STATES[outcome.found ?? 'other_lines']}. Read it again, then patch what is there.`
    case 'binary':
      return `${where}: this file is ${outcome.found === 'utf-16' ? 'UTF-16' : 'binary'}, and only UTF-8 and Latin-1 text is patched. Leave it as it is.`
    case 'encoding':
      return `${where}: an added line has characters that the file's encoding lacks. Use characters of that encoding or escapes.`
    case 'limit':
      return `${where}: too much work for one patch. Send fewer hunks at once.`
  }
}

/** One line per file that fits, a paragraph per hunk that does not, rejected ones first. */
export function explainPatch(result: PatchResult): string {
  const words = result.files.flatMap((file) => explainFile(file))
  const rejected = words.filter((entry) => entry.isRejected)
  const total = words.length
  const head = result.ok
    ? `all ${total} hunks fit`
    : `${rejected.length} of ${total} hunks rejected, so nothing was written. Correct these and send the whole patch again:`
  return clip([head, ...rejected.map((entry) => entry.text), ...words.filter((entry) => !entry.isRejected).map((entry) => entry.text)].join('\n'))
}

export function explainParse(result: Extract<ParseResult, { ok: false }>): string {
  return `patch line ${result.line}: ${result.message}. Send a unified diff: --- a/PATH, +++ b/PATH, then hunks that start with @@.`
}

function explainFile(file: FileResult): { text: string; isRejected: boolean }[] {
  return file.hunks.map((outcome, at) => ({
    text: explainHunk(outcome, file.path, file.patch.hunks[at]?.patchLine),
    isRejected: outcome.kind === 'rejected',
  }))
}

const STATES: Readonly<Record<Found, string>> = {
  file: 'there is a file already where it makes one',
  no_file: 'there is no such file',
  other_lines: 'it has other lines than the patch takes away',
  'utf-16': 'it is UTF-16',
  no_place: 'no place is named',
  too_short: 'too little of the place is named',
}

type Rejected = Extract<HunkOutcome, { kind: 'rejected' }>

function missing({ found, anchor, isIndentInDoubt, nearest = [] }: Rejected): string {
  if (found === 'no_file') return 'There is no such file: check the path. One that is to go is gone already, one that is to come is sent as a new file.'
  if (found === 'no_place') return 'It only adds lines and names no place: put an unchanged line of the file above or below them.'
  if (found === 'too_short' && nearest[0])
    return `The text stands at line ${nearest[0].line} only, but it is too short to tell that place from another. Add unchanged lines above and below.`
  const shown = anchor === undefined ? '' : JSON.stringify(anchor.text.slice(0, MAX_QUOTED_CHARS))
  if (anchor?.line === null)
    return `No line of the file reads like the anchor ${shown}, below those before it. Copy a line that stands above the place, or leave the @@ bare.`
  const head = anchor
    ? `The text does not stand below the anchor ${shown} (line ${anchor.line}).`
    : isIndentInDoubt
      ? 'The unchanged lines stand in the file with another indentation, and how far the added lines are to be indented there is in doubt.'
      : 'The removed and context lines do not stand in the file like this.'
  if (nearest.length === 0) return `${head} No line of it stands in the file: read the file, or check the path.`
  const lines = nearest.map(({ line, text }) => `  ${line}| ${text.slice(0, MAX_QUOTED_CHARS)}`)
  return `${head} The nearest lines of the file are:\n${lines.join('\n')}\nCopy them exactly as they stand.`
}

function ambiguity({ readings, candidates, unread }: Rejected): string {
  if (unread !== undefined)
    return `Line ${unread.line} of the file, ${JSON.stringify(unread.text)}, reads like a line that the patch may take away, leave or not mean at all. Begin each line of the hunk with a blank, - or +, write right counts in its header, and send nothing below it.`
  if (readings !== undefined)
    return `The block can be divided at ${readings} of its ======= lines. Send this change as a unified diff, where no line is a divider.`
  if (candidates === undefined)
    return 'Once applied it would fit again, so it may have been applied before. Add unchanged lines above and below that only the intended place has.'
  return `It fits at lines ${candidates.join(', ')}. Add one unchanged line above or below that only the intended place has.`
}

const ASIDE: Readonly<Record<Aside, string>> = {
  blanks: 'blanks at the end of lines aside',
  indentation: 'indentation of unchanged lines aside',
  indented: 'the added lines indented as the file is',
  word: 'a word of an unchanged line aside',
}

/** How the hunk fits; `exact` is said of nothing else. */
export function fitWords({ drift, aside }: { readonly drift: number; readonly aside?: Aside }): string {
  const lines = Math.abs(drift) === 1 ? 'line' : 'lines'
  const words = [
    ...(drift === 0 ? [] : [`${Math.abs(drift)} ${lines} ${drift > 0 ? 'below' : 'above'} where the patch says`]),
    ...(aside === undefined ? [] : [ASIDE[aside]]),
  ]
  return words.join(', ') || 'exact'
}

function clip(text: string): string {
  return text.length <= MAX_CHARS ? text : `${text.slice(0, MAX_CHARS)}\n… (cut)`
}
