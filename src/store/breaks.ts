/**
 * Where the anchor contradicts the database: transactions are missing, the tables are not those that were signed, or
 * the anchor itself is gone. The first write after it records it, in its own transaction, and counts on from the anchor:
 * so going on never makes it forgotten, and no later anchor is lower than an earlier one.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Anchor, AnchorFile } from './anchor.ts'
import { stateDigest, type DamagedTable, type StoreState } from './sums.ts'

export interface StoreProblem {
  readonly kind: 'damaged' | 'incomplete'
  readonly detail: string
  /** The last receipt from before it, where there is one. */
  readonly since: { readonly receipt: string; readonly ts: number } | null
  /** The receipt of a person's word that it is known. */
  readonly accepted?: string
  readonly next?: readonly string[]
}

const ACCEPT = ['vp verify --accept']

/**
 * The problem that `before`, the anchor as it was before `state` was read, makes evident. Read in this order, since
 * others commit meanwhile: an anchor is written after its transaction, so an older one never claims more than `state` holds.
 */
export function contradiction(db: DatabaseSync, state: StoreState, before: Anchor | null, anchor: AnchorFile): StoreProblem | null {
  if (before === null) {
    // Read again: the first one may have been written in between.
    if (!state.isAnchored || anchor.read() !== null) return null
    return problem(db, 'incomplete', `the anchor is gone or not of this key: what came after transaction ${state.tx} cannot be told`)
  }
  if (state.tx < before.tx) {
    const lost = state.tx + 1 === before.tx ? `transaction ${before.tx} is` : `transactions ${state.tx + 1} to ${before.tx} are`
    return problem(db, 'incomplete', `${lost} missing`)
  }
  if (state.tx === before.tx && state.digest !== before.digest) return problem(db, 'damaged', 'the tables are not those that the anchor signed')
  return null
}

function problem(db: DatabaseSync, kind: StoreProblem['kind'], detail: string): StoreProblem {
  return { kind, detail, since: lastReceipt(db), next: ACCEPT }
}

function lastReceipt(db: DatabaseSync): StoreProblem['since'] {
  const last = db.prepare('SELECT id, ts FROM receipts ORDER BY seq DESC LIMIT 1').get()
  return last ? { receipt: String(last['id']), ts: Number(last['ts']) } : null
}

/** Rows that are gone are missing, whatever else is true of those that are left. */
export function tableProblem(db: DatabaseSync, { name, rows, of }: DamagedTable): StoreProblem {
  if (rows >= of) return { kind: 'damaged', detail: `table ${name}`, since: null }
  return { kind: 'incomplete', detail: `table ${name} holds ${rows} of its ${of} rows`, since: name === 'receipts' ? lastReceipt(db) : null }
}

/** At the begin of a transaction, under the write lock: what is wrong is recorded. The number of this transaction. */
export function countFrom(db: DatabaseSync, anchor: AnchorFile | undefined): number {
  const state = stateDigest(db)
  const before = anchor?.read(state) ?? null
  const found = anchor ? contradiction(db, state, before, anchor) : null
  const tx = Math.max(state.tx, before?.tx ?? 0) + 1
  if (found) recordBreak(db, tx, found)
  // The mark says that an anchor was seen. After the very first transaction a kill may leave none, and that is no loss.
  if (anchor && state.isAnchored !== (before !== null)) db.prepare("UPDATE table_sums SET digest = ? WHERE name = ''").run(before === null ? '' : 'anchored')
  return tx
}

export function recordBreak(db: DatabaseSync, tx: number, { kind, detail, since }: StoreProblem): void {
  db.prepare('INSERT INTO breaks (tx, kind, detail, receipt_id, ts) VALUES (?, ?, ?, ?, ?)').run(tx, kind, detail, since?.receipt ?? null, since?.ts ?? null)
}

export function recordedBreaks(db: DatabaseSync): StoreProblem[] {
  return db
    .prepare('SELECT kind, detail, receipt_id, ts, accepted FROM breaks ORDER BY tx')
    .all()
    .map((row) => ({
      kind: row['kind'] === 'damaged' ? 'damaged' : 'incomplete',
      detail: String(row['detail']),
      since: row['receipt_id'] === null ? null : { receipt: String(row['receipt_id']), ts: Number(row['ts']) },
      ...(row['accepted'] === null ? { next: ACCEPT } : { accepted: String(row['accepted']) }),
    }))
}
