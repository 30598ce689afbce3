/**
 * The files that a task starts from: the run's base with the work it depends on, and nothing that others happened to
 * merge before. That comes in at the merge. So a task sees the same files on every machine and after every crash,
 * whatever order its siblings ended in, and what it asked a model before is not asked again.
 */
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import type { RunGit } from '../../workspace/git.ts'
import { conflictedTree } from './repair.ts'
import { readCommit } from '../../workspace/tree-objects.ts'
import { mergeTrees, scratchCommit, treeOf } from '../../workspace/run-repository.ts'

/** What is checked out for the next attempt, and the commit it counts as grown from. */
export async function startOf(git: RunGit, gitDir: string, state: RunState, task: TaskState): Promise<{ from: string; base: string }> {
  if (task.carry_tree !== null && task.carry_base !== null) return { from: task.carry_tree, base: task.carry_base }
  const { merge } = task.card.payload
  if (merge) return { from: (await conflictedTree(git, gitDir, merge)).tree, base: merge.run }
  const commit = await startCommit(git, gitDir, state, task)
  return { from: commit, base: commit }
}

/** A commit: the base, the branch as it is when it holds just the task's dependencies, or one composed of these. */
async function startCommit(git: RunGit, gitDir: string, state: RunState, task: TaskState): Promise<string> {
  const needed = dependenciesOf(state, task)
  const merged = Object.values(state.tasks).filter((one) => one.status === 'succeeded' && one.commit !== null)
  if (merged.every((one) => needed.has(one.task_id))) return state.head
  const commits = new Set(merged.filter((one) => needed.has(one.task_id)).map((one) => one.commit))
  if (commits.size === 0) return state.base
  const landed = (await git(['rev-list', '--reverse', `${state.base}..${state.head}`], { gitDir })).stdout.toString().split('\n')
  let at = state.base
  for (const commit of landed.filter((one) => commits.has(one))) {
    const { tree: theirs, parents } = await readCommit(git.objects(gitDir), commit)
    const sides = { base: parents[0] ?? state.base, ours: await treeOf(git, gitDir, at), theirs }
    const outcome = await mergeTrees(git, gitDir, sides)
    // It cannot be told apart from what it stands on: then the task gets all of it.
    if (outcome.kind === 'conflict') return state.head
    at = await scratchCommit(git, gitDir, outcome.tree, at)
  }
  return at
}

/** Every task that must be done before this one, near and far. */
function dependenciesOf(state: RunState, task: TaskState): Set<string> {
  const needed = new Set<string>(task.card.deps)
  for (const id of needed) for (const dep of state.tasks[id]?.card.deps ?? []) needed.add(dep)
  return needed
}
