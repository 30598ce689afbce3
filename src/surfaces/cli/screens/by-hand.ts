/** What `vp search`, `vp run`, `vp fs read`, `vp git` and the rest of the plain verbs show. */
import { count as counted, duration } from '../format.ts'
import { raw, renderer, type Screen } from '../finish.ts'
import { dots, nextLines, table } from '../layout.ts'
import { bad, good, strong, type Look } from '../style.ts'

export interface SearchView {
  readonly matches: readonly { readonly file: string; readonly line: number; readonly snippet: string }[]
  readonly truncated: boolean
}

/** path:line: text, as other tools read it. */
export const searchScreen = (view: SearchView, look: Look): Screen => ({
  stdout: view.matches.map((match) => raw(look, `${match.file}:${match.line}:${match.snippet}`)),
  stderr: view.truncated ? ['note  more matches than shown: add --max N or a --glob'] : view.matches.length === 0 ? ['note  no match'] : [],
})

export interface TestView {
  readonly pass_rate: number | null
  readonly passed: number | null
  readonly failed: number | null
  readonly skipped?: number | null
  readonly exit_code: number | null
  readonly report_path?: string | null
  readonly output: string
  readonly elapsed_ms?: number | null
  readonly backend?: string
  readonly receipt?: string | null
}

export const testScreen = (view: TestView, look: Look): Screen => {
  const counts = view.passed === null ? 'not measured' : `${view.passed} passed, ${view.failed ?? 0} failed${view.skipped ? `, ${view.skipped} skipped` : ''}`
  const ok = view.exit_code === 0 && (view.failed ?? 0) === 0
  return {
    stdout: outputLines(view.output, look),
    stderr: [
      `${ok ? good('✓') : bad('✗')} ${dots(counts, view.exit_code !== 0 && view.exit_code !== null && `exit ${view.exit_code}`, view.elapsed_ms !== undefined && view.elapsed_ms !== null && duration(view.elapsed_ms), view.backend, view.receipt)}`,
    ],
  }
}

export interface ExecView {
  readonly exit_code: number | null
  readonly signal?: string | null
  readonly ended_by?: string | null
  readonly output: string
  readonly writes?: readonly string[]
  readonly elapsed_ms?: number | null
  readonly backend?: string
  readonly receipt?: string | null
}

export const execScreen = (view: ExecView, look: Look): Screen => {
  const end = view.exit_code === null ? `ended by ${view.ended_by ?? view.signal ?? 'a signal'}` : `exit ${view.exit_code}`
  return {
    stdout: outputLines(view.output, look),
    stderr: [
      dots(
        `${view.exit_code === 0 ? good('✓') : bad('✗')} ${end}`,
        view.ended_by && view.ended_by !== 'exit' && view.exit_code !== null && `ended by ${view.ended_by}`,
        view.writes !== undefined && view.writes.length > 0 && counted(view.writes.length, 'file') + ' written',
        view.elapsed_ms !== undefined && view.elapsed_ms !== null && duration(view.elapsed_ms),
        view.backend,
        view.receipt,
      ),
    ],
  }
}

function outputLines(output: string, look: Look): string[] {
  return output === ''
    ? []
    : output
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => raw(look, line))
}

export interface LinesView {
  /** What was asked for, line by line: a file, a diff, a path. */
  readonly lines: readonly string[]
  readonly next?: readonly string[]
}

export const linesScreen = (view: LinesView, look: Look): Screen => ({
  stdout: view.lines.map((line) => raw(look, line)),
  stderr: nextLines(view.next ?? []),
})

export interface DoneView {
  /** One line: `8e2f1aa on main: fix(cart): keep the items`. */
  readonly done: string
  /** What a person has to know beside it. */
  readonly more?: readonly string[]
  readonly next?: readonly string[]
}

/** A fast success says one line. */
export const doneScreen = renderer<DoneView>((view) => ({
  stdout: [strong(view.done), ...(view.more ?? [])],
  stderr: nextLines(view.next ?? []),
}))

export interface RunRow {
  readonly run: string
  readonly run_kind: string
  readonly status: string
  readonly tasks_completed: number
  readonly tasks_total: number
  readonly age_ms: number
}

/** `vp config show`: each value with where it came from. */
export interface ConfigView {
  readonly values: readonly { readonly name: string; readonly value: string; readonly source: string }[]
}

export const configScreen = renderer<ConfigView>((view, look) => ({
  stdout: table(
    look,
    [{ head: 'name' }, { head: 'value' }, { head: 'from' }],
    view.values.map((row) => [row.name, row.value, row.source]),
  ),
}))

export interface RunsView {
  readonly runs: readonly RunRow[]
}
