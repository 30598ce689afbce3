/**
 * What a run works with, opened once: its project, the human's repository, its own bare one, who commits.
 */
import { join } from 'node:path'
import { VpError } from '../../core/errors.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import type { Plan, ProjectFile } from '../../plms/contract/types.ts'
import type { Identity } from '../../workspace/git.ts'
import { humanIdentity, openHumanRepository, type HumanRepository } from '../../workspace/human-repository.ts'
import { createRunRepository, type RunRepository } from '../../workspace/run-repository.ts'
import type { Kit } from '../kit.ts'
import { readPlan } from '../projects/plans.ts'
import { projectRoot } from '../projects/project.ts'

export interface RunScene {
  readonly runId: string
  readonly project: ProjectFile
  readonly plan: Plan
  readonly human: HumanRepository
  readonly repository: RunRepository
  readonly identity: Identity
  /** `refs/heads/vp/<run>`, in the run's repository and later in the human's. */
  readonly branch: string
  readonly directory: string
}

export function runDirectory(kit: Kit, runId: string): string {
  return join(kit.paths.runs, runId)
}

export function branchOf(runId: string): string {
  return `refs/heads/vp/${runId}`
}

/** Opens what belongs to a run that exists. Throws `workspace.*`, `usage.identity`, `project.none`. */
export async function openRunScene(kit: Kit, state: RunState, project: ProjectFile): Promise<RunScene> {
  const root = await projectRoot(kit, state.project_id)
  const human = await openHumanRepository(kit.git, root, kit.paths.views)
  const plan = await readPlan(kit, state.project_id, state.plan_version)
  if (!plan)
    throw new VpError('plan.none', `plan v${state.plan_version} of run ${state.run_id} is gone`, {
      next: ['vp verify'],
    })
  const directory = runDirectory(kit, state.run_id)
  const repository = createRunRepository(join(directory, 'repository.git'), human)
  const identity = await humanIdentity(kit.git, human, kit.env)
  return { runId: state.run_id, project, plan, human, repository, identity, branch: branchOf(state.run_id), directory }
}

/** For the trailer of vp's commits; undefined where the person did not say that they sign off. */
export function signoffOf(kit: Kit, { identity }: RunScene): string | undefined {
  return kit.config.git.signoff ? `${identity.name} <${identity.email}>` : undefined
}
