/** Step 8: a receipt for every outcome, in one transaction with what the operation itself has to write. */
import { canonicalJson, sha256, type Json } from '../../core/json.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import { redactTexts } from '../../policy/redact.ts'
import type { Step } from './call.ts'
import { remember } from './idempotency.ts'

export const receipt: Step = async (call) => {
  const { scene, operation, decision, error } = call
  const { kit, caller } = scene
  const summary = error ? error.message : operation.say?.(call.params, call.result)
  call.receipt = await kit.store.transaction(
    async (tx) => {
      if (!error) for (const write of scene.onReceipt) await write(tx)
      await remember(tx, call)
      return appendReceipt(tx, kit, {
        id: scene.receiptId,
        op: operation.name,
        actor: caller.actor,
        surface: caller.surface,
        run_id: caller.runId,
        task_id: caller.taskId,
        attempt: caller.attempt,
        turn: caller.turn,
        call: caller.call,
        outcome: error ? 'error' : call.replayed ? 'replayed' : 'ok',
        input_sha: sha256(canonicalJson(call.params ?? null)),
        ...(error ? { error: { code: error.code, message: error.message } } : { output_sha: sha256(canonicalJson(call.result ?? null)) }),
        ...(decision ? { decision: redactTexts(decision, kit.redactText) as unknown as Json } : {}),
        ...(summary === undefined ? {} : { summary: kit.redactText(summary).slice(0, 300) }),
        ...(typeof scene.notes['sandbox'] === 'string' ? { sandbox: scene.notes['sandbox'] } : {}),
        ...(Object.keys(scene.notes).length > 0 ? { detail: redactTexts(scene.notes, kit.redactText) } : {}),
        duration_ms: Math.round(kit.clock.monotonic() - call.startedAt),
      })
    },
    { durable: !error && operation.effect !== 'read' && caller.actor === 'human' },
  )
}
