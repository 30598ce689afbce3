/**
 * Receipts: one record per operation, model call and decision, chained per run. A receipt's key is the hash of
 * its canonical JSON, which names the key before it; so a chain has one history or a visible break.
 * Leaves out who may write (the wrapper) and what a run means (pas).
 */
import { canonicalJson, sha256, type Json } from '../core/json.ts'
import { receiptId, type ReceiptId } from '../core/ids.ts'
import type { Clock, Random } from '../core/ports.ts'
import type { Usage } from '../core/usage.ts'
import type { Tx } from '../store/contract.ts'

/** The chain of everything that belongs to no run. */
export const MACHINE_CHAIN = 'machine'
export const GENESIS = '0'.repeat(64)

export type Actor = 'human' | 'agent' | 'ci' | 'relay' | 'remote' | 'operator'

/** What a writer hands in; the ledger adds id, place, time and chain. */
export interface ReceiptDraft {
  readonly id?: ReceiptId
  readonly op: string
  readonly actor: Actor
  readonly surface?: string
  readonly run_id?: string | undefined
  readonly task_id?: string | undefined
  readonly attempt?: number | undefined
  readonly turn?: number | undefined
  /** Of an agent's operation: which of the turn's calls, from 1. */
  readonly call?: number | undefined
  readonly outcome: string
  /** SHA-256 of the canonical parameters: proof without content. */
  readonly input_sha?: string
  readonly output_sha?: string
  readonly decision?: Json
  readonly sandbox?: string | undefined
  readonly usage?: Usage
  readonly error?: { readonly code: string; readonly message: string }
  readonly duration_ms?: number
  /** In words, for `vp logs`; masked by the caller. */
  readonly summary?: string
  readonly detail?: Json
}

export interface Receipt extends ReceiptDraft {
  readonly id: ReceiptId
  readonly chain: string
  readonly n: number
  readonly ts: number
  readonly prev: string
}

export interface ReceiptRow {
  readonly seq: number
  readonly id: string
  readonly run_id: string
  readonly n: number
  readonly ts: number
  readonly op: string
  readonly task_id: string | null
  readonly attempt: number | null
  readonly outcome: string
  readonly body: string
  readonly prev: string
  readonly key: string
}

export interface Appended {
  readonly id: ReceiptId
  readonly chain: string
  readonly n: number
  readonly key: string
}

interface Head {
  readonly n: number
  readonly key: string
}

/** Appends inside the caller's transaction, so that a receipt and what it proves are one. */
export async function appendReceipt(tx: Tx, ports: { clock: Clock; random: Random }, draft: ReceiptDraft): Promise<Appended> {
  const chain = draft.run_id ?? MACHINE_CHAIN
  // Where the noted head was lost, what is left of the chain goes on: a ledger with a loss has to be able to say so.
  const head =
    (await tx.get<Head>('SELECT n, key FROM heads WHERE run_id = ?', chain)) ??
    (await tx.get<Head>('SELECT n, key FROM receipts WHERE run_id = ? ORDER BY n DESC LIMIT 1', chain))
  const id = draft.id ?? receiptId(ports.clock, ports.random)
  const receipt: Receipt = {
    ...draft,
    id,
    chain,
    n: (head?.n ?? 0) + 1,
    ts: ports.clock.now(),
    prev: head?.key ?? GENESIS,
  }
  const body = canonicalJson(receipt)
  const key = sha256(body)
  await tx.run(
    `INSERT INTO receipts (id, run_id, n, ts, op, task_id, attempt, outcome, body, prev, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    chain,
    receipt.n,
    receipt.ts,
    receipt.op,
    receipt.task_id ?? null,
    receipt.attempt ?? null,
    receipt.outcome,
    body,
    receipt.prev,
    key,
  )
  await tx.run(
    'INSERT INTO heads (run_id, n, key) VALUES (?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET n = excluded.n, key = excluded.key',
    chain,
    receipt.n,
    key,
  )
  return { id, chain, n: receipt.n, key }
}

export function parseReceipt(row: Pick<ReceiptRow, 'body'>): Receipt {
  return JSON.parse(row.body) as Receipt
}
