/**
 * The state of one call on its way through the steps. Each step reads what is before it and adds its own.
 */
import type { VpError } from '../../core/errors.ts'
import type { Appended } from '../../ledger/receipts.ts'
import type { Decision, Operation, Scene } from '../operation.ts'

export interface Call {
  readonly operation: Operation
  /** As it came; the first step replaces it with what the schema made of it. */
  params: unknown
  readonly scene: Scene
  readonly idempotencyKey: string | null
  readonly startedAt: number
  decision: Decision | null
  result: unknown
  error: VpError | null
  /** The answer of an earlier call with the same key. */
  replayed: boolean
  receipt: Appended | null
}

/** A step either lets the call go on, ends it with a result (`true`), or throws. */
export type Step = (call: Call) => Promise<boolean | void>
