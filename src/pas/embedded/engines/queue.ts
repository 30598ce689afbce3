/**
 * The port of an execution engine: it dispatches task attempts and knows nothing of what they do. Every engine
 * is at-least-once; the token of a lease, checked where results are written, makes a commit exactly-once.
 */
import type { RunId, TaskId } from '../../../core/ids.ts'
import type { Tx } from '../../../store/contract.ts'
import type { RunState } from '../reducer/state.ts'

export interface Lease {
  readonly run_id: RunId
  readonly task_id: TaskId
  readonly attempt: number
  readonly token: string
}

export type Claim =
  | { readonly kind: 'leased'; readonly lease: Lease; readonly state: RunState }
  /** Nothing to dispatch now; `others` attempts are under way elsewhere. */
  | { readonly kind: 'idle'; readonly state: RunState; readonly others: number }

export interface TaskQueue {
  /** The next attempt of a run for this worker; attempts of dead workers are given back first. */
  claim(runId: RunId): Promise<Claim>
  /** Gives back attempts of dead and silent workers; how many are still under way. */
  reclaim(runId: RunId): Promise<number>
  /** Prolongs a lease; false: it is lost, and so is what the attempt does. */
  beat(lease: Lease): Promise<boolean>
  /** Ends a lease inside the caller's transaction; false: it was lost, write nothing. */
  settle(tx: Tx, lease: Lease): Promise<boolean>
}
