/** `vp undo` and `vp fs patch`: both show first and write after a yes. */
import { fitWords } from '../../../patch/explain.ts'
import type { Aside } from '../../../patch/types.ts'
import { cells } from '../cells.ts'
import { count as counted, grouped } from '../format.ts'
import { raw, renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { bad, hang, isNarrow, strong, type Look } from '../style.ts'

export interface UndoFileView {
  readonly path: string
  /** `restore`, `restored`: it comes back. `refused`: it stays. */
  readonly outcome: string
  /** In words: `as at 14:31`, `changed by you at 15:02, after the run's 14:51`. */
  readonly reason: string
  readonly add: number
  readonly del: number
}

export interface UndoView {
  readonly files: readonly UndoFileView[]
  readonly restored: number
  readonly refused: number
  /** Nothing was written yet. */
  readonly dry_run: boolean
  /** The hunks, as a unified diff; absent where they were shown already. */
  readonly diff?: string
  /** Files whose hunks are not in it. */
  readonly diff_omitted?: number
  /** What is not known of these writes. */
  readonly caveat?: string | null
  readonly receipt?: string | null
  readonly next?: readonly string[]
}

const SHOWN = 20
const SHOWN_LINES = 200

/** Never wrapped: who pipes it has a diff. */
function hunkLines({ diff = '', diff_omitted: omitted = 0 }: UndoView, look: Look): string[] {
  const lines = diff.split('\n').slice(0, -1)
  const more = lines.length - SHOWN_LINES
  return [
    ...lines.slice(0, SHOWN_LINES).map((line) => raw(look, line)),
    ...(more > 0 || omitted > 0
      ? [dots(more > 0 && `${counted(more, 'more line')} of hunks`, omitted > 0 && `hunks of ${counted(omitted, 'more file')}`, 'all with --json')]
      : []),
  ]
}

/** What would happen; the question follows on stderr. */
export const undoPreviewScreen = renderer<UndoView>((view, look) => ({ stdout: undoPreview(view, look) }))

function undoPreview(view: UndoView, look: Look): string[] {
  const refused = view.files.filter(isRefused)
  const restored = view.files.filter((file) => !isRefused(file))
  const shown = [...restored.slice(0, SHOWN), ...refused]
  const width = Math.min(40, Math.max(...shown.map((file) => cells(file.path)), 8))
  const more = restored.length > SHOWN ? [`  ${restored.length - SHOWN} more`] : []
  const lines = restored.reduce((sum, file) => sum + file.add + file.del, 0)
  return [
    ...hunkLines(view, look),
    ...restored.slice(0, SHOWN).flatMap((file) => fileLine(file, width, look).split('\n')),
    ...more,
    ...refused.flatMap((file) => fileLine(file, width, look).split('\n')),
    ...(view.caveat ? [view.caveat] : []),
    dots(`${restored.length} of ${counted(view.files.length, 'file')}, ${counted(lines, 'line')}`, 'branch, index and stash are not touched'),
  ]
}

function isRefused(file: UndoFileView): boolean {
  return file.outcome === 'refused' || file.outcome === 'stays'
}

function fileLine(file: UndoFileView, width: number, look: Look): string {
  const sign = isRefused(file) ? `${bad('✗')} ` : '  '
  const change = isRefused(file)
    ? `stays: ${file.reason}`
    : `${`+${grouped(file.add)}`.padEnd(3)} ${`-${grouped(file.del)}`.padEnd(3)}${file.reason === '' ? '' : `  ${file.reason}`}`
  const gap = isNarrow(look) ? 2 : Math.max(2, width + 2 - cells(file.path))
  if (isNarrow(look) && !look.plain) return `${sign}${file.path}\n${hang('', 4)}${change.trim()}`
  return hang(`${sign}${file.path}${' '.repeat(gap)}`, isNarrow(look) ? 4 : width + 4) + change
}

function refusedLines({ files }: UndoView, look: Look): string[] {
  const refused = files.filter(isRefused)
  const width = Math.min(40, Math.max(...refused.map((file) => cells(file.path)), 8))
  return refused.flatMap((file) => fileLine(file, width, look).split('\n'))
}

/** `undo 60, leave 1? y/n [n] `. */
export function undoQuestion(view: Pick<UndoView, 'files'>): string {
  const refused = view.files.filter(isRefused).length
  return `undo ${view.files.length - refused}${refused > 0 ? `, leave ${refused}` : ''}? y/n [n] `
}

export const undoneScreen = renderer<UndoView>((view, look) => ({
  stdout: [
    ...hunkLines(view, look),
    ...refusedLines(view, look),
    ...(view.caveat ? [view.caveat] : []),
    `restored ${view.restored}, refused ${view.refused}${view.receipt ? `, receipt ${view.receipt}` : ''}`,
  ],
  stderr: view.receipt ? nextLines([`vp undo ${view.receipt}`]).map((line) => `${line} (takes this undo back)`) : nextLines(view.next ?? []),
}))

export interface HunkView {
  readonly file: string
  readonly line: number | null
  /** `applied`, `fits`, `already-applied`, `rejected`. */
  readonly outcome: string
  /** Lines below (positive) or above where the patch says. */
  readonly drift?: number
  readonly aside?: Aside
  readonly reason?: string
  readonly nearest?: number | null
}

export interface PatchView {
  readonly applied: boolean
  readonly dry_run?: boolean
  readonly hunks: readonly HunkView[]
  readonly broken?: readonly { readonly path: string; readonly line: number | null; readonly message: string; readonly doubt?: string | undefined }[]
  /** What was typed, for the next line. */
  readonly diff_path?: string | null
  readonly receipt?: string | null
  readonly next?: readonly string[]
}

const MOST_WARNINGS = 5

export const patchScreen = renderer<PatchView>((view, look) => {
  const places = view.hunks.map((hunk) => `${hunk.file}${hunk.line === null ? '' : `:${hunk.line}`}`)
  const width = Math.max(0, ...places.map(cells)) + 2
  const lines = view.hunks.map((hunk, index) => (isNarrow(look) ? hang('', 0) + `${places[index]}  ` : hang(places[index] ?? '', width)) + hunkText(hunk))
  const toWrite = view.hunks.filter((hunk) => hunk.outcome === 'applied' || hunk.outcome === 'fits').length
  const of = `${toWrite} of ${counted(view.hunks.length, 'hunk')}`
  const sum = view.applied ? `${strong('written')}: ${of}${view.receipt ? `, receipt ${view.receipt}` : ''}` : `dry run: ${of} to write, nothing written`
  const next = view.next ?? (view.applied ? (view.receipt ? [`vp undo ${view.receipt}`] : []) : view.diff_path ? [`vp fs patch ${view.diff_path} --apply`] : [])
  const broken = view.broken ?? []
  const warnings = broken.slice(0, MOST_WARNINGS).map(({ path, line, message, doubt }) => {
    const what = doubt !== undefined ? 'may no longer parse' : view.applied ? 'no longer parses' : 'would no longer parse'
    return `warn  ${path}${line === null ? '' : `:${line}`} ${what}: ${message}${doubt === undefined ? '' : `; ${doubt}`}`
  })
  const more = broken.length - warnings.length
  return { stdout: [...lines, sum], stderr: [...warnings, ...(more > 0 ? [`warn  and ${more} more`] : []), ...nextLines(next)] }
})

function hunkText(hunk: HunkView): string {
  if (hunk.outcome === 'already-applied' || hunk.outcome === 'already_applied') return 'already applied'
  if (hunk.outcome === 'rejected') {
    const words =
      { not_found: 'does not fit', ambiguous: 'fits in more than one way', overlap: 'overlaps another hunk' }[hunk.reason ?? ''] ??
      hunk.reason ??
      'does not fit'
    return `${bad(words)}${hunk.nearest ? `, nearest is line ${hunk.nearest}` : ''}`
  }
  return `fits, ${fitWords({ drift: 0, ...hunk })}`
}
