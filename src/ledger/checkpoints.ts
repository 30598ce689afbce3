/**
 * Checkpoints: signed heads of runs, themselves a chain. A run that is missing altogether is still named by
 * the checkpoints that follow it; a receipt that is missing at the end of a run by the run's own.
 */
import { canonicalJson, sha256 } from '../core/json.ts'
import type { Clock } from '../core/ports.ts'
import type { Tx } from '../store/contract.ts'
import type { SigningKey } from './keys.ts'
import { GENESIS } from './receipts.ts'

export interface CheckpointRow {
  readonly n: number
  readonly run_id: string
  readonly receipts: number
  readonly head: string
  readonly prev: string
  readonly key_id: string
  readonly signature: string
  readonly ts: number
}

/** The bytes that are signed; `prev` is the digest of the checkpoint before. */
export function checkpointBytes(row: Omit<CheckpointRow, 'signature'>): string {
  const { n, run_id, receipts, head, prev, key_id, ts } = row
  return canonicalJson({ n, run_id, receipts, head, prev, key_id, ts })
}

/** Signs the present head of one chain; does nothing when that head is signed already. */
export async function sealChain(tx: Tx, clock: Clock, key: SigningKey, chain: string): Promise<void> {
  const head = await tx.get<{ n: number; key: string }>('SELECT n, key FROM heads WHERE run_id = ?', chain)
  if (!head) return
  const last = await tx.get<CheckpointRow>('SELECT * FROM checkpoints ORDER BY n DESC LIMIT 1')
  if (last?.run_id === chain && last.head === head.key) return
  const unsigned = {
    n: (last?.n ?? 0) + 1,
    run_id: chain,
    receipts: head.n,
    head: head.key,
    prev: last ? sha256(checkpointBytes(last)) : GENESIS,
    key_id: key.id,
    ts: clock.now(),
  }
  const signature = key.sign(Buffer.from(checkpointBytes(unsigned))).toString('base64url')
  await tx.run(
    'INSERT INTO checkpoints (n, run_id, receipts, head, prev, key_id, signature, ts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    unsigned.n,
    chain,
    unsigned.receipts,
    unsigned.head,
    unsigned.prev,
    unsigned.key_id,
    signature,
    unsigned.ts,
  )
}
