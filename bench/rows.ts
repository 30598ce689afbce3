/** How figures are printed: each beside its limit, the machine below them. */
import { cpus, totalmem } from 'node:os'

export interface Row {
  readonly what: string
  readonly value: string
  /** '' for a yardstick. */
  readonly limit: string
  readonly holds: boolean
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** A limit that is missed makes the exit status 1. */
export function printRows(rows: readonly Row[], how: string): void {
  const width = (pick: (row: Row) => string) => Math.max(...rows.map((row) => pick(row).length))
  const [a, b, c] = [width((row) => row.what), width((row) => row.value), width((row) => row.limit)]
  const lines = rows.map((row) =>
    `${row.what.padEnd(a)}  ${row.value.padEnd(b)}  ${row.limit.padStart(c)}  ${row.limit === '' ? '' : row.holds ? 'holds' : 'MISSED'}`.trimEnd(),
  )
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, node ${process.versions.node}, ${how}`
  process.stdout.write(`${lines.join('\n')}\n${machine}\n`)
  if (rows.some((row) => !row.holds)) process.exitCode = 1
}
