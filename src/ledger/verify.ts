/**
 * `vp verify`: is what is here unaltered, and is it all that was written? Two questions, two answers. Pure over
 * rows, so that it serves the database and a bundle alike.
 */
import { shortReceipt } from '../core/ids.ts'
import { canonicalJson, sha256 } from '../core/json.ts'
import { checkpointBytes, type CheckpointRow } from './checkpoints.ts'
import type { SigningKey } from './keys.ts'
import { GENESIS, parseReceipt, type Receipt, type ReceiptRow } from './receipts.ts'

/** A head that somebody outside the ledger remembers: a commit's `VP-Ledger` trailer, a passport. */
export interface KnownHead {
  readonly receipts: number
  readonly head: string
  /** In words: `commit 41d0c7e`. */
  readonly by: string
}

/** What is wrong beyond one chain. */
export interface LedgerProblem {
  /** Of the files, of a signature, or that something is missing. */
  readonly kind: 'damaged' | 'altered' | 'incomplete'
  readonly detail: string
  /** The last receipt from before it, as far as known. */
  readonly since: { readonly receipt: string; readonly ts: number } | null
  /** The receipt of a person's word that this is known: it is shown, and is no alarm. */
  readonly accepted?: string
  /** What can be done about it, where something can. */
  readonly next?: readonly string[]
}

/** `incomplete since 2026-11-22T14:31:02Z (after r_01JE2K): transactions 6 to 10 are missing` */
export function problemWords({ kind, detail, since }: LedgerProblem): string {
  return `${kind}${since ? ` since ${new Date(since.ts).toISOString().slice(0, 19)}Z (after ${shortReceipt(since.receipt)})` : ''}: ${detail}`
}

export interface ChainVerdict {
  readonly unaltered: boolean
  readonly complete: boolean
  readonly receipts: number
  readonly head: { readonly id: string; readonly hash: string } | null
  readonly first_altered: {
    readonly n: number
    readonly of: number
    readonly id: string
    readonly op: string
    readonly task_id: string | null
    readonly ts: number
    readonly why: string
  } | null
  readonly missing: {
    readonly from: number
    readonly to: number
    readonly since: number | null
    readonly by: string
  } | null
  /** Who outside knows the farthest receipt: `commit 41d0c7e`, or null when nobody does. */
  readonly known_by: string | null
  /** That receipt; what comes after it is known to this ledger alone. */
  readonly known: { readonly n: number; readonly id: string } | null
}

export interface ChainEvidence {
  readonly receipts: readonly ReceiptRow[]
  readonly checkpoints: readonly CheckpointRow[]
  readonly known: readonly KnownHead[]
  /** What the ledger itself noted as the chain's last receipt; unsigned, so it only shows that something is missing. */
  readonly noted?: KnownHead | undefined
  /** The keys that may have signed, by id. */
  readonly keys: ReadonlyMap<string, Pick<SigningKey, 'verify'>>
}

export function verifyChain(chain: string, evidence: ChainEvidence): ChainVerdict {
  const rows = evidence.receipts.toSorted((a, b) => a.n - b.n)
  const altered = firstAltered(chain, rows)
  const last = rows.at(-1)
  const claims: KnownHead[] = [
    ...evidence.checkpoints.filter((row) => row.run_id === chain).map((row) => ({ receipts: row.receipts, head: row.head, by: `checkpoint ${row.n}` })),
    ...evidence.known,
  ]
  const badSeal = evidence.checkpoints.find((row) => row.run_id === chain && !sealHolds(row, evidence.keys))
  const beyond = [...claims, ...(evidence.noted ? [evidence.noted] : [])]
    .filter((claim) => claim.receipts > rows.length)
    .toSorted((a, b) => b.receipts - a.receipts)[0]
  const contradicted = claims.find((claim) => {
    const row = rows[claim.receipts - 1]
    return row !== undefined && !row.key.startsWith(claim.head)
  })
  const first =
    altered ??
    (badSeal ? seal(rows, badSeal.receipts, `checkpoint ${badSeal.n} is not signed by this key`) : null) ??
    (contradicted ? seal(rows, contradicted.receipts, `${contradicted.by} knows another receipt here`) : null)
  const outside = evidence.known.filter((one) => one.receipts > 0 && one.receipts <= rows.length).toSorted((a, b) => b.receipts - a.receipts)[0]
  return {
    unaltered: first === null,
    complete: beyond === undefined,
    receipts: rows.length,
    head: last ? { id: last.id, hash: last.key } : null,
    first_altered: first,
    missing: beyond ? { from: rows.length + 1, to: beyond.receipts, since: last?.ts ?? null, by: beyond.by } : null,
    known_by: outside?.by ?? null,
    known: outside ? { n: outside.receipts, id: rows[outside.receipts - 1]?.id ?? '' } : null,
  }
}

function seal(rows: readonly ReceiptRow[], n: number, why: string): ChainVerdict['first_altered'] {
  const row = rows[n - 1]
  return {
    n,
    of: rows.length,
    id: row?.id ?? '',
    op: row?.op ?? '',
    task_id: row?.task_id ?? null,
    ts: row?.ts ?? 0,
    why,
  }
}

function firstAltered(chain: string, rows: readonly ReceiptRow[]): ChainVerdict['first_altered'] {
  let prev = GENESIS
  for (const [index, row] of rows.entries()) {
    const why = alteration(chain, row, index + 1, prev)
    if (why) return { n: index + 1, of: rows.length, id: row.id, op: row.op, task_id: row.task_id, ts: row.ts, why }
    prev = row.key
  }
  return null
}

function alteration(chain: string, row: ReceiptRow, n: number, prev: string): string | null {
  if (sha256(row.body) !== row.key) return 'its key does not fit its bytes'
  let receipt: Receipt
  try {
    receipt = parseReceipt(row)
  } catch {
    return 'its bytes are not a receipt'
  }
  if (receipt.prev !== prev || row.prev !== prev) return 'it does not follow the receipt before it'
  const columns = [row.id, row.run_id, row.n, row.ts, row.op, row.task_id, row.attempt, row.outcome]
  const claimed = [receipt.id, receipt.chain, receipt.n, receipt.ts, receipt.op, receipt.task_id ?? null, receipt.attempt ?? null, receipt.outcome]
  if (canonicalJson(columns) !== canonicalJson(claimed) || receipt.chain !== chain || receipt.n !== n) return 'its index does not fit its bytes'
  return null
}

function sealHolds(row: CheckpointRow, keys: ChainEvidence['keys']): boolean {
  const key = keys.get(row.key_id)
  return key !== undefined && key.verify(Buffer.from(checkpointBytes(row)), Buffer.from(row.signature, 'base64url'))
}

/** Breaks in the chain of checkpoints, and runs that it names of which nothing is left. Empty when whole. */
export function verifyCheckpoints(checkpoints: readonly CheckpointRow[], present: ReadonlySet<string>, keys: ChainEvidence['keys']): LedgerProblem[] {
  const problems = new Map<string, LedgerProblem>()
  const found = (kind: LedgerProblem['kind'], detail: string) => void problems.set(detail, { kind, detail, since: null })
  let prev = GENESIS
  for (const [index, row] of checkpoints.toSorted((a, b) => a.n - b.n).entries()) {
    if (row.n !== index + 1 || row.prev !== prev) found('incomplete', `checkpoint ${index + 1} is missing or does not follow the one before`)
    if (!sealHolds(row, keys)) found('altered', `checkpoint ${row.n} is not signed by a known key`)
    if (!present.has(row.run_id)) found('incomplete', `run ${row.run_id} is missing: checkpoint ${row.n} knows ${row.receipts} receipts of it`)
    prev = sha256(checkpointBytes(row))
  }
  return [...problems.values()]
}
