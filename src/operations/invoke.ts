/**
 * The one way to call an operation. No surface can skip a step, because surfaces have no steps:
 * validate → idempotency → scope → policy → approval → settle → handler (over before-images) → redact → receipt.
 */
import { asVpError, VpError } from '../core/errors.ts'
import { receiptId } from '../core/ids.ts'
import type { Kit } from './kit.ts'
import type { Caller, Operation } from './operation.ts'
import type { TreeScene } from './scene.ts'
import { approval } from './wrapper/approval.ts'
import type { Call } from './wrapper/call.ts'
import { handle } from './wrapper/handle.ts'
import { idempotency } from './wrapper/idempotency.ts'
import { policy } from './wrapper/policy.ts'
import { receipt } from './wrapper/receipt.ts'
import { redact } from './wrapper/redact.ts'
import { scope } from './wrapper/scope.ts'
import { settle } from './wrapper/settle.ts'
import { validate } from './wrapper/validate.ts'

const STEPS = [validate, idempotency, scope, policy, approval, settle, handle]

export type Answer =
  | { readonly ok: true; readonly result: unknown; readonly receipt: string; readonly replayed: boolean }
  | { readonly ok: false; readonly error: VpError; readonly receipt: string | null }

export interface InvokeOptions {
  readonly idempotencyKey?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** See `Scene.inTurn`. */
  readonly after?: Promise<unknown> | undefined
}

export async function invoke(kit: Kit, operation: Operation, params: unknown, caller: Caller, tree: TreeScene, options: InvokeOptions = {}): Promise<Answer> {
  const call: Call = {
    operation,
    params,
    idempotencyKey: options.idempotencyKey ?? null,
    startedAt: kit.clock.monotonic(),
    scene: {
      kit: withFilterOf(kit, tree),
      caller,
      tree,
      receiptId: receiptId(kit.clock, kit.random),
      signal: options.signal ?? new AbortController().signal,
      inTurn: options.after ?? null,
      onReceipt: [],
      onNoReceipt: [],
      onEnd: [],
      notes: {},
    },
    decision: null,
    result: undefined,
    error: null,
    replayed: false,
    receipt: null,
  }
  try {
    for (const step of STEPS) if (await step(call)) break
  } catch (thrown) {
    call.error = asVpError(thrown)
  }
  await redact(call)
  // Who waited for the lock in vain does not wait for it once more to say so.
  if (call.error?.code === 'store.locked') return { ok: false, error: takenBack(call, call.error), receipt: null }
  try {
    await receipt(call)
  } catch (thrown) {
    // What cannot be receipted has not happened as far as anybody may rely on it.
    return { ok: false, error: takenBack(call, asVpError(thrown)), receipt: null }
  }
  for (const end of call.scene.onEnd) end()
  const id = call.receipt?.id ?? call.scene.receiptId
  return call.error ? { ok: false, error: call.error, receipt: id } : { ok: true, result: call.result, receipt: id, replayed: call.replayed }
}

/** What leaves by this call passes the tree's own filter, which is opened when something has to. */
function withFilterOf(kit: Kit, tree: TreeScene): Kit {
  return { ...kit, redactText: (text) => tree.masking().text(text), redactJson: (value) => tree.masking().json(value) }
}

/** The error as it was, or one that says what could not be taken back. */
function takenBack({ scene }: Call, error: VpError): VpError {
  try {
    for (const undo of scene.onNoReceipt.toReversed()) undo()
    for (const end of scene.onEnd) end()
    return error
  } catch (cause) {
    const changed = `files were written without a receipt, and taking them back failed: ${asVpError(cause).message}`
    return new VpError(error.code, error.message, { ...error.details, cause, changed })
  }
}
