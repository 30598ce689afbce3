/**
 * Which of the three forms a text is written in, by the line that opens it. A text of two forms is refused: reading one
 * of them would drop the other in silence.
 */
export type Form = 'v4a' | 'blocks' | 'unified'

/** Of one patch, in any form. */
export const MAX_HUNKS = 200_000

export const TWO_FORMS = 'another form of patch begins here: send one form at a time'

/** Half an edit is none: what stands behind the end of the text cannot be known. */
export const CUT_OFF = 'the patch is cut off here: send it again, whole'

const V4A = /^\*\*\* (?:Begin Patch|(?:Update|Add|Delete) File: )/
const BLOCK = /^<{5,9} ?SEARCH\s*$/
const UNIFIED = /^(?:diff --git |@@ -\d)/

/** The form that opens first; unified diffs take in what opens none. */
export function formOf(lines: readonly string[]): Form {
  for (const line of lines) {
    if (V4A.test(line)) return 'v4a'
    if (BLOCK.test(line)) return 'blocks'
    if (UNIFIED.test(line)) return 'unified'
  }
  return 'unified'
}

/** Outside of what `form` has read: a line that begins an edit of its own. */
export function opensAnother(form: Form, line: string): boolean {
  return (form !== 'v4a' && V4A.test(line)) || (form !== 'blocks' && BLOCK.test(line)) || (form !== 'unified' && UNIFIED.test(line))
}
