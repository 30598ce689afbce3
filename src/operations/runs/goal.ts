/** What the model of an attempt is told first: the same words when a run is made and when it is replayed. */
import { goalMessage, type LastAttempt } from '../../agent/prompt.ts'
import type { TaskState } from '../../pas/embedded/reducer/state.ts'
import { conventionWords } from '../../workspace/commit-convention.ts'
import { treePaths } from '../../workspace/git.ts'
import type { Kit } from '../kit.ts'
import { testWords } from './gate.ts'
import type { RunScene } from './run-scene.ts'

/** `from`: what was checked out for the attempt. */
export async function taskGoal(kit: Kit, run: RunScene, task: TaskState, from: string, prd: string | null): Promise<string> {
  const { payload, lane } = task.card
  return goalMessage({
    task: `T${payload.n}`,
    goal: payload.goal,
    lane,
    files: payload.files,
    tree: await treePaths(kit.git, run.repository.gitDir, from),
    context: prd,
    conflict: payload.merge ? { branch: payload.merge.branch, words: payload.merge.words } : null,
    last: lastAttempt(task),
    titles: run.project.commits ? conventionWords(run.project.commits) : null,
    test: testWords(run.project.test, payload.tests),
  })
}

function lastAttempt({ why, feedback }: TaskState): LastAttempt | null {
  return why === null || why === 'fatal' || feedback === null ? null : { why, feedback }
}
