/**
 * Running digests of every table, kept by triggers: a changed, lost or added byte in any row shows when the
 * rows are counted again. Sums are per table: row count and XOR of the rows' SHA-256. They find damage; who
 * tampers on purpose meets the signed anchor.
 */
import type { DatabaseSync } from 'node:sqlite'
import { nodeCrypto } from '../core/node-crypto.ts'

const ZERO = '0'.repeat(64)

/** SHA-256 over the JSON of the values, blobs as hex behind a mark that no text column starts with. */
function rowDigest(values: readonly unknown[]): string {
  return nodeCrypto().hash(
    'sha256',
    JSON.stringify(values.map((value) => (value instanceof Uint8Array ? `\u0000blob:${Buffer.from(value).toString('hex')}` : value))),
  )
}

function xorHex(a: string, b: string): string {
  const left = Buffer.from(a, 'hex')
  const right = Buffer.from(b, 'hex')
  for (let index = 0; index < 32; index++) left[index] = (left[index] ?? 0) ^ (right[index] ?? 0)
  return left.toString('hex')
}

/** The functions that the triggers call; without them no connection can write a guarded table. */
export function registerSumFunctions(db: DatabaseSync): void {
  db.function('vp_row', { varargs: true, deterministic: true }, (...values: unknown[]) => rowDigest(values))
  db.function('vp_xor', { deterministic: true }, (a, b) => xorHex(String(a), String(b)))
}

interface Column {
  readonly name: string
}

function guardedTables(db: DatabaseSync): string[] {
  return db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'table_sums' ORDER BY name")
    .all()
    .map((row) => String(row['name']))
}

function columnsOf(db: DatabaseSync, table: string): string[] {
  return (db.prepare(`PRAGMA table_info("${table}")`).all() as unknown as Column[]).map((column) => column.name)
}

/** (Re)creates the triggers of every table and recounts: called inside the migration's transaction. */
export function installSums(db: DatabaseSync): void {
  for (const table of guardedTables(db)) {
    const columns = columnsOf(db, table)
    const digest = (row: string) => `vp_row(${columns.map((column) => `${row}."${column}"`).join(', ')})`
    const update = (count: string, sums: string) => `UPDATE table_sums SET rows = rows ${count}, digest = ${sums} WHERE name = '${table}';`
    db.exec(`
      DROP TRIGGER IF EXISTS sum_${table}_i; DROP TRIGGER IF EXISTS sum_${table}_u; DROP TRIGGER IF EXISTS sum_${table}_d;
      CREATE TRIGGER sum_${table}_i AFTER INSERT ON ${table} BEGIN ${update('+ 1', `vp_xor(digest, ${digest('NEW')})`)} END;
      CREATE TRIGGER sum_${table}_u AFTER UPDATE ON ${table} BEGIN ${update('+ 0', `vp_xor(vp_xor(digest, ${digest('OLD')}), ${digest('NEW')})`)} END;
      CREATE TRIGGER sum_${table}_d AFTER DELETE ON ${table} BEGIN ${update('- 1', `vp_xor(digest, ${digest('OLD')})`)} END;
    `)
    const { rows, digest: sum } = countTable(db, table)
    db.prepare('INSERT OR REPLACE INTO table_sums (name, rows, digest) VALUES (?, ?, ?)').run(table, rows, sum)
  }
}

function countTable(db: DatabaseSync, table: string): { rows: number; digest: string } {
  const columns = columnsOf(db, table)
  const select = db.prepare(`SELECT ${columns.map((column) => `"${column}"`).join(', ')} FROM ${table}`)
  select.setReturnArrays(true)
  const sum = Buffer.alloc(32)
  let rows = 0
  for (const row of select.iterate() as Iterable<unknown>) {
    const one = Buffer.from(rowDigest(row as unknown[]), 'hex')
    for (let index = 0; index < 32; index++) sum[index] = (sum[index] ?? 0) ^ (one[index] ?? 0)
    rows++
  }
  return { rows, digest: rows === 0 ? ZERO : sum.toString('hex') }
}

export interface DamagedTable {
  readonly name: string
  readonly rows: number
  /** How many were written. */
  readonly of: number
}

/** The tables whose rows are not what was written. */
export function damagedTables(db: DatabaseSync): DamagedTable[] {
  const kept = new Map(
    db
      .prepare('SELECT name, rows, digest FROM table_sums')
      .all()
      .map((row) => [String(row['name']), row]),
  )
  const damaged: DamagedTable[] = []
  for (const table of guardedTables(db)) {
    const want = kept.get(table)
    kept.delete(table)
    const have = countTable(db, table)
    if (!want || want['rows'] !== have.rows || want['digest'] !== have.digest) damaged.push({ name: table, rows: have.rows, of: Number(want?.['rows'] ?? 0) })
  }
  for (const [name, want] of kept) if (name !== '') damaged.push({ name, rows: 0, of: Number(want['rows']) })
  return damaged
}

export interface StoreState {
  readonly tx: number
  readonly digest: string
  /** An anchor was once seen beside the database. */
  readonly isAnchored: boolean
}

/** One digest over all sums and the transaction counter: what the anchor signs. The counter's row has no sum, but the anchor's mark. */
export function stateDigest(db: DatabaseSync): StoreState {
  const rows = db.prepare('SELECT name, rows, digest FROM table_sums ORDER BY name').all()
  const counter = rows.find((row) => row['name'] === '')
  return {
    tx: Number(counter?.['rows'] ?? 0),
    digest: nodeCrypto().hash('sha256', JSON.stringify(rows.map((row) => [row['name'], row['rows'], row['digest']]))),
    isAnchored: counter?.['digest'] === 'anchored',
  }
}
