/**
 * How much of what runs did no person had to change. Counted in hunks as git's diff without context has them, `.vp/` left out.
 *
 * Applied: the hunks of what a run adds to the person's branch, from the commit that it stands on to its head.
 * Changed: those of them that are not as the run left them in the commit that `vp complete` moved the branch to, because
 * a person's commits rewrote, removed or wrote into their lines: on `vp/<run>`, or on their branch after they took the
 * run's commits in by hand. Lines added beside a hunk do not change it. A run that a repair brought together with the
 * person's branch is measured from its repaired head on.
 *
 * Not counted, as nothing of it is in git before completion: what a person undid or edited afterwards, a run that was
 * never completed, and what a person did instead of a run. `vp undo` cannot reach a run before it is completed. Pure.
 */
import type { Tx } from '../../store/contract.ts'

/** `lines` 0: the gap behind line `at`. */
export interface Span {
  readonly at: number
  readonly lines: number
}

export interface FileHunk {
  /** `diff --git` line, the same for one path in every diff without renames. */
  readonly file: string
  readonly old: Span
  readonly now: Span
}

export interface HunkCount {
  readonly applied: number
  readonly changed: number
}

const HEADER = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/
const WHOLE: Span = { at: 0, lines: Number.MAX_SAFE_INTEGER }

/** Reads what `git diff -U0 --no-renames` prints. A binary file is one hunk. */
export function hunksOf(diff: string): FileHunk[] {
  const hunks: FileHunk[] = []
  const lines = diff.split('\n')
  let file = ''
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? ''
    if (line.startsWith('diff --git ')) file = line
    else if (line.startsWith('Binary files ')) hunks.push({ file, old: WHOLE, now: WHOLE })
    const [, from, taken, to, put] = HEADER.exec(line) ?? []
    if (from === undefined || to === undefined) continue
    const hunk = { file, old: { at: Number(from), lines: Number(taken ?? 1) }, now: { at: Number(to), lines: Number(put ?? 1) } }
    hunks.push(hunk)
    index += hunk.old.lines + hunk.now.lines // its own lines may look like headers
  }
  return hunks.filter((hunk) => !/^diff --git "?a\/\.vp\//.test(hunk.file))
}

/** `applied`: of a run; `later`: from the run's head to where the branch went. */
export function countHunks(applied: readonly FileHunk[], later: readonly FileHunk[]): HunkCount {
  const changed = applied.filter((hunk) => later.some((other) => other.file === hunk.file && meet(hunk.now, other.old)))
  return { applied: applied.length, changed: changed.length }
}

function meet(a: Span, b: Span): boolean {
  if (a.lines === 0 && b.lines === 0) return a.at === b.at
  if (a.lines === 0) return b.at <= a.at && a.at < b.at + b.lines - 1
  if (b.lines === 0) return a.at <= b.at && b.at < a.at + a.lines - 1
  return a.at < b.at + b.lines && b.at < a.at + a.lines
}

/** 1 − changed ÷ applied over all of them; null when nothing was applied. */
export function autonomyOf(counts: readonly HunkCount[]): number | null {
  const applied = counts.reduce((sum, one) => sum + one.applied, 0)
  const changed = counts.reduce((sum, one) => sum + one.changed, 0)
  return applied === 0 ? null : 1 - changed / applied
}

/** Of every completed run of a project; runs from before it was counted are left out. */
/** Under which key `vp complete` keeps what it did. */
export const completedKey = (runId: string): string => `completed/${runId}`

export async function completedHunks(tx: Tx, projectId: number): Promise<HunkCount[]> {
  const rows = await tx.all<{ body: string }>(
    "SELECT body FROM measurements WHERE key IN (SELECT 'completed/' || run_id FROM runs WHERE project_id = ? AND kind IN ('baseline', 'hotfix'))",
    projectId,
  )
  return rows.flatMap(({ body }) => (JSON.parse(body) as { hunks?: HunkCount }).hunks ?? [])
}
