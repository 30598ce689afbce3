/** Who looks on while a run is driven: the live view, the event lines, or nobody. */
import type { AgentActivity } from '../../agent/loop.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'

export interface Watcher {
  onState(state: RunState): void
  onActivity(task: TaskState, activity: AgentActivity | { readonly kind: 'gate'; readonly name: string }): void
}

export const NOBODY: Watcher = { onState: () => undefined, onActivity: () => undefined }
