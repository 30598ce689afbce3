/**
 * Step 2: a key that was used before gives the first answer again; with other parameters it is refused. Only
 * successes are remembered, for a day, and nothing that was asked for raw. Source: contracts/plms.md section 4.
 */
import { VpError } from '../../core/errors.ts'
import { canonicalJson, sha256 } from '../../core/json.ts'
import type { Tx } from '../../store/contract.ts'
import { asksRaw } from '../operation.ts'
import type { Call, Step } from './call.ts'

const TTL_MS = 86_400_000

export const idempotency: Step = async (call) => {
  if (call.idempotencyKey === null) return
  const { kit } = call.scene
  const row = await kit.store.read((tx) =>
    tx.get<{ request: string; response: string; created_at: number }>('SELECT request, response, created_at FROM idempotency WHERE key = ?', storedKey(call)),
  )
  if (!row || row.created_at < kit.clock.now() - TTL_MS) return
  if (row.request !== requestOf(call))
    throw new VpError('idempotency.reused', 'Idempotency-Key reused with a different request', {
      next: ['use a new key'],
    })
  call.result = JSON.parse(row.response)
  call.replayed = true
  return true
}

/** Writes the answer beside the receipt. */
export async function remember(tx: Tx, call: Call): Promise<void> {
  if (call.idempotencyKey === null || call.error || call.replayed || asksRaw(call.params)) return
  await tx.run(
    'INSERT INTO idempotency (key, request, response, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET request = excluded.request, response = excluded.response, created_at = excluded.created_at',
    storedKey(call),
    requestOf(call),
    canonicalJson(call.result ?? null),
    call.scene.kit.clock.now(),
  )
}

function storedKey(call: Call): string {
  return sha256(canonicalJson([call.operation.name, call.scene.caller.actor, call.scene.tree.root, call.idempotencyKey]))
}

function requestOf(call: Call): string {
  return sha256(canonicalJson(call.params ?? null))
}
