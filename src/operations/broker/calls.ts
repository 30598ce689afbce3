/** The calls of the last hour in the store: begun with what is held for them, ended with what they came to. */
import type { VpError } from '../../core/errors.ts'
import type { CallSeen } from '../../models/broker/windows.ts'
import { KEPT_MS } from '../../models/broker/windows.ts'
import type { Endpoint } from '../../models/contract.ts'
import type { Tx } from '../../store/contract.ts'

/** A model at its place: two servers may call different files by one name. */
export function modelKey({ name, model, endpoint }: { readonly name: string; readonly model: string; readonly endpoint: Endpoint }): string {
  return `${name}:${model}@${endpoint.host}`
}

/** Of a tier, or of all. */
export function callsSeen(tx: Tx, now: number): Promise<CallSeen[]> {
  return tx.all<CallSeen>('SELECT tier, model, ts, tokens, micro_usd, ms, outcome FROM model_calls WHERE ts > ?', now - KEPT_MS)
}

export interface CallBegun {
  readonly id: string
  readonly tier: string
  readonly model: string
  readonly now: number
  readonly tokens: number
  readonly micro_usd: number
}

/** In the transaction that holds its worst case. */
export async function beginCall(tx: Tx, call: CallBegun): Promise<void> {
  await tx.run('DELETE FROM model_calls WHERE ts <= ?', call.now - KEPT_MS)
  await tx.run(
    "INSERT INTO model_calls (id, tier, model, ts, tokens, micro_usd, ms, outcome) VALUES (?, ?, ?, ?, ?, ?, NULL, 'open')",
    call.id,
    call.tier,
    call.model,
    call.now,
    call.tokens,
    call.micro_usd,
  )
}

export interface CallEnd {
  readonly tokens: number
  readonly micro_usd: number
  readonly ms: number
  readonly error: VpError | null
}

export async function endCall(tx: Tx, id: string, end: CallEnd): Promise<void> {
  const outcome = end.error === null ? 'ok' : UNHEALTHY.test(end.error.code) ? 'failed' : 'other'
  await tx.run('UPDATE model_calls SET tokens = ?, micro_usd = ?, ms = ?, outcome = ? WHERE id = ?', end.tokens, end.micro_usd, end.ms, outcome, id)
}

/** What says something of the model or its server, not of the request or the person. */
const UNHEALTHY = /^model\.(unreachable|rate_limited|server|stalled|cut|protocol|auth|quota|not_found|truncated)$/
