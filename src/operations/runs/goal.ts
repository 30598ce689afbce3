/** What the model of an attempt is told first, and what it has to work with: the same when a run is made and when it is replayed. */
import { WINDOW_POLICY } from '../../agent/context/context.ts'
import type { AgentInput } from '../../agent/loop.ts'
import { goalMessage, type LastAttempt } from '../../agent/prompt.ts'
import { PROMPTS } from '../../agent/prompts.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import { conventionWords } from '../../workspace/commit-convention.ts'
import { DEFAULT_PARAMETERS } from '../../models/contract.ts'
import { treePaths } from '../../workspace/git.ts'
import type { Kit } from '../kit.ts'
import { testWords } from './gate.ts'
import { type FoundInstructions, readInstructions } from './instructions.ts'
import type { RunScene } from './run-scene.ts'
import type { RunTree } from './trees.ts'

export interface AttemptInput {
  readonly input: AgentInput
  readonly instructions: FoundInstructions
}

/** Masked as the attempt's own tree masks. */
export async function attemptInput(kit: Kit, run: RunScene, state: RunState, task: TaskState, tree: RunTree, prd: string | null): Promise<AttemptInput> {
  const { payload, lane } = task.card
  const scene = tree.attempt()
  const paths = await treePaths(kit.git, run.repository.gitDir, tree.from)
  const instructions = readInstructions(scene.files(), paths, payload.files)
  const goal = goalMessage({
    task: `T${payload.n}`,
    goal: payload.goal,
    lane,
    files: payload.files,
    tree: paths,
    context: prd,
    instructions: instructions.files.filter(({ isNamed }) => isNamed),
    conflict: payload.merge ? { branch: payload.merge.branch, words: payload.merge.words } : null,
    last: lastAttempt(task),
    titles: run.project.commits ? conventionWords(run.project.commits) : null,
    test: testWords(run.project.test, payload.tests),
  })
  const { text } = scene.masking()
  return {
    instructions,
    input: {
      opening: { system: PROMPTS.system, goal: text(goal), words: [text(payload.goal)], files: payload.files },
      place: { task: `T${payload.n}`, attempt: task.attempt },
      maxTurns: kit.config.max_turns,
      parameters: state.parameters?.[lane] ?? DEFAULT_PARAMETERS,
      window: state.context ?? WINDOW_POLICY,
      beside: instructions.files.map(({ path, shown, later }) => ({ path, text: later, isShown: shown !== '' })),
    },
  }
}

function lastAttempt({ why, feedback }: TaskState): LastAttempt | null {
  return why === null || why === 'fatal' || feedback === null ? null : { why, feedback }
}
