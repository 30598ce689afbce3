/** Who looks on while a run is driven: the live view, the event lines, or nobody. */
import type { AgentActivity } from '../../agent/loop.ts'
import type { Retry } from '../../models/retry.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'

/** What is known of a run before its first task begins. */
export interface RunFacts {
  readonly project: string
  /** The test command in words, or null. */
  readonly test: string | null
  readonly backend: string
}

export interface Watcher {
  onBegin?(facts: RunFacts): void
  /** The price of a plan that is approved by being typed: `vp do`. Ends are 90 %. */
  onPlan?(plan: {
    readonly lane: string
    readonly cost_usd: readonly [number, number] | null
    readonly duration_ms: readonly [number, number]
    readonly cap_usd: number
  }): void
  /** A model call failed and is made again after a while: of a task, or of the planner. */
  onRetry?(retry: Retry, task: TaskState | null): void
  /** Another model goes on, or begins: with a task, or the planning. */
  onSwitch?(words: string, task: TaskState | null): void
  onState(state: RunState): void
  onActivity(task: TaskState, activity: AgentActivity | { readonly kind: 'gate'; readonly name: string }): void
}

export const NOBODY: Watcher = { onState: () => undefined, onActivity: () => undefined }
