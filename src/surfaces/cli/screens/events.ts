/**
 * What happened, one line an event: on a terminal by the local clock, piped by ISO time and `key=value`, and the
 * lines of `vp logs`. Programs' output is never in them.
 */
import { cells, cutEnd, pad } from '../cells.ts'
import { clock, isoSeconds } from '../format.ts'
import { clean, column, renderer } from '../finish.ts'
import { nextLines } from '../layout.ts'
import { attention, bad, good, hang, signs, type Look } from '../style.ts'

export interface EventView {
  /** ms since the epoch. */
  readonly t: number
  /** Shortest unique form. */
  readonly run: string
  /** null: of the whole run. */
  readonly task: number | null
  /** `start op gate again waits done failed skipped paused alive end`, or a verb of `vp do`: `test edit`. */
  readonly event: string
  /** In words, for a terminal. */
  readonly text: string
  /** For piped lines, in this order. */
  readonly fields?: Readonly<Record<string, string | number | boolean | null>>
  /** Lines of a change or the last lines of a failed program: shown under it, terminal only. */
  readonly detail?: readonly string[]
}

/** `14:45:52 T4  done   test_pass_rate 1.00`, marked. */
export function eventLines(event: EventView, look: Look, zone?: string): string[] {
  const view = clean(event)
  const task = view.task === null ? '' : `${`T${view.task}`.padEnd(3)} `
  const lead = `${clock(view.t, zone)} ${task}${verb(view.event)} `
  const under = ' '.repeat(cells(lead))
  return [hang(lead, cells(lead)) + view.text, ...(view.detail ?? []).map((line) => under + detailLine(look, line, cells(under)))].map((line) =>
    signs(look, line),
  )
}

function verb(event: string): string {
  const padded = event.padEnd(6)
  if (event === 'done') return good('done') + padded.slice(4)
  if (event === 'failed') return bad('failed') + padded.slice(6)
  return event === 'again' || event === 'waits' || event === 'paused' ? attention(event) + padded.slice(event.length) : padded
}

function detailLine(look: Look, line: string, indent: number): string {
  const shown = look.tty ? cutEnd(look, line, look.width - indent) : line
  if (shown.startsWith('+')) return good(shown)
  return shown.startsWith('-') ? bad(shown) : shown
}

/** `2026-11-22T13:44:10Z 9c1f T2 done files=3 add=88`; one line whatever the values are. */
export function pipedEventLine(event: EventView): string {
  const view = clean(event)
  const fields = Object.entries(view.fields ?? { text: view.text })
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}=${plainValue(String(value))}`)
  return [isoSeconds(view.t), view.run, view.task === null ? '-' : `T${view.task}`, view.event, ...fields].join(' ')
}

function plainValue(value: string): string {
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

export interface LogRow {
  readonly t: number
  readonly task: number | null
  /** `test`, `edit`, `model`, `again`. */
  readonly verb: string
  readonly text: string
  /** Shortest unique form. */
  readonly receipt: string
}

export interface LogsView {
  readonly lines: readonly LogRow[]
  readonly next?: readonly string[]
}

/** The ledger in words; each line can be opened by its receipt. */
export function logsScreen(zone?: string) {
  return renderer<LogsView>((view, look) => ({
    stdout: view.lines.map((row) => logLine(row, look, zone)),
    stderr: nextLines(view.next ?? []),
  }))
}

/** One line, for `--follow`. */
export function logLine(row: LogRow, look: Look, zone?: string): string {
  const view = clean(row)
  const when = look.tty ? clock(view.t, zone) : isoSeconds(view.t)
  const lead = `${when} ${`T${view.task ?? '-'}`.replace('T-', '-').padEnd(3)} ${verb(view.verb)} `
  return hang(lead, cells(lead)) + pad(look, view.text, 0) + column(look.width - 2 - view.receipt.length, view.receipt)
}

/** The few words a quiet minute is worth. */
export function aliveFields(view: {
  readonly running: number
  readonly waiting: number
  readonly oldest: number | null
  readonly cost_usd: number | null
}): EventView['fields'] & object {
  return {
    running: view.running,
    waiting: view.waiting,
    oldest: view.oldest === null ? null : `T${view.oldest}`,
    cost_usd: view.cost_usd === null ? null : view.cost_usd.toFixed(2),
  }
}
