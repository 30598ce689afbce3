/**
 * The few shapes all screens are made of: a label with its text, a table, the `next` line. Below 60 columns and in
 * plain output a table is `field: value` lines.
 */
import { cells, pad, padStart } from './cells.ts'
import { hang, isNarrow, signs, toCopy, type Look } from './style.ts'

/** `tasks    7 done · 9 running`, wrapped under its text. */
export function labelled(label: string, text: string, width = 9): string {
  return hang(label, width) + text
}

export function dots(...parts: readonly (string | null | undefined | false)[]): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join(' · ')
}

export interface Hint {
  readonly command: string
  readonly note?: string
}

/** At most two commands on one line; each on its own when one carries a note. */
export function nextLines(hints: readonly (string | Hint)[]): string[] {
  const two = hints.slice(0, 2).map((hint) => (typeof hint === 'string' ? { command: hint } : hint))
  if (two.length === 0) return []
  if (two.every((hint) => hint.note === undefined)) return [hang('next', 7) + two.map((hint) => toCopy(hint.command)).join(' · ')]
  const width = Math.max(49, ...two.filter((hint) => hint.note !== undefined).map((hint) => cells(hint.command) + 2))
  return two.map((hint, index) => {
    const command = hint.note === undefined ? toCopy(hint.command) : toCopy(hint.command) + ' '.repeat(width - cells(hint.command)) + hint.note
    return hang(index === 0 ? 'next' : '', 7) + command
  })
}

export interface Column {
  readonly head: string
  readonly width?: number
  readonly align?: 'end'
  /** Cells that are wider run into the next column, which is empty then. */
  readonly fixed?: true
  /** Spaces after it; 2 when absent. */
  readonly gap?: number
}

/** Rows under their heads. The first column names the row when the table becomes `field: value` lines. */
export function table(look: Look, columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  if (isNarrow(look)) return rows.flatMap((row) => fieldLines(look, columns, row))
  const widths = columns.map((column, index) =>
    column.fixed
      ? (column.width ?? 0)
      : Math.max(column.width ?? 0, ...[columns.map((each) => each.head), ...rows].map((row) => cells(signs(look, row[index] ?? '')))),
  )
  const line = (row: readonly string[]) =>
    columns
      .map((column, index) => {
        const cell = row[index] ?? ''
        const width = widths[index] ?? 0
        return (column.align === 'end' ? padStart(look, cell, width) : pad(look, cell, width)) + ' '.repeat(column.gap ?? 2)
      })
      .join('')
      .trimEnd()
  const heads = columns.map((column) => column.head)
  return [...(heads.some((head) => head !== '') ? [line(heads)] : []), ...rows.map(line)]
}

function fieldLines(look: Look, columns: readonly Column[], row: readonly string[]): string[] {
  const fields = columns.map((column, index): [string, string] => [column.head, row[index] ?? '']).filter(([, value]) => value !== '')
  const named = fields.map(([head, value]) => (head === '' ? value : `${head}: ${value}`))
  if (look.plain) return [named.join('. ')]
  return named.map((field, index) => (index === 0 ? field : `  ${field}`))
}

/** Tasks by number: `T15 T16`. */
export function taskNames(numbers: readonly number[]): string {
  return numbers.map((number) => `T${number}`).join(' ')
}
