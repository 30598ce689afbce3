/** How figures are printed: each beside its limit, the machine below them. */
import { cpus, totalmem } from 'node:os'

export interface Row {
  readonly what: string
  readonly value: string
  /** '' for a yardstick. */
  readonly limit: string
  readonly holds: boolean
}

/**
 * The own time of a step may be 10 ms on the machine of the limits, which starts an empty Node in 31 to 35 ms; elsewhere it is that share of the yardstick
 * (decision 0024).
 */
const STEP_SHARE = 0.3

/** A step's own time, milliseconds, beside `node`, what an empty Node takes in the same rounds. */
export function stepRow(name: string, ownMs: number, toolMs: number, node: number): Row {
  const value = `${(ownMs / node).toFixed(2)} × node -e 0  ${ownMs.toFixed(1)} ms  (tool ${toolMs.toFixed(1)} ms)`
  return { what: `vp do: own time, ${name}`, value, limit: `${STEP_SHARE.toFixed(2)} ×`, holds: ownMs <= STEP_SHARE * node }
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
