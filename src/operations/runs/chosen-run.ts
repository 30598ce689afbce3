/** Which run a call means, and the project it belongs to. */
import { VpError } from '../../core/errors.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import { findRun, latestHere, requireRun } from '../../pas/embedded/run-store.ts'
import type { ProjectFile } from '../../plms/contract/types.ts'
import type { Scene } from '../operation.ts'
import { noRun } from '../projects/no-run.ts'
import { readProjectFile, requireProject } from '../projects/project.ts'
import { keptProject } from './kept-project.ts'

/** The named run, or the last one of this checkout (of `vp do` too). Throws `run.none`, `run.ambiguous`. */
export async function chosenState(scene: Scene, run: string | undefined): Promise<RunState> {
  const { kit, tree } = scene
  return kit.store.read(async (tx) => {
    if (run !== undefined) return requireRun(tx, await findRun(tx, run))
    const latest = await latestHere(tx, tree.root)
    if (!latest) throw await noRun(tx, tree.root)
    return latest
  })
}

export interface ChosenRun {
  readonly state: RunState
  readonly project: ProjectFile
}

/** For what changes a run or a branch: a run of this very checkout. Throws `run.none` with the place where it is. */
export async function ownRun(scene: Scene, run: string | undefined): Promise<ChosenRun> {
  const chosen = await chosenRun(scene, run)
  const { root } = await scene.kit.store.read((tx) => requireProject(tx, chosen.state.project_id))
  if (root !== scene.tree.root)
    throw new VpError('run.none', `run ${chosen.state.run_id} is of another checkout, at ${root}`, {
      next: [`cd ${/^[\w./-]+$/.test(root) ? root : JSON.stringify(root)}`],
    })
  return chosen
}

export async function chosenRun(scene: Scene, run: string | undefined): Promise<ChosenRun> {
  const state = await chosenState(scene, run)
  const record = await scene.kit.store.read((tx) => requireProject(tx, state.project_id))
  // A goal that was typed may have come with a test command of its own.
  if (state.origin === 'do') return { state, project: { ...emptyProject(state.project_id, record.name), ...keptProject(scene.kit, state.run_id) } }
  const kept = readProjectFile(record.root)
  return {
    state,
    project: kept?.project_id === state.project_id ? kept : { ...emptyProject(state.project_id, record.name), ...keptProject(scene.kit, state.run_id) },
  }
}

function emptyProject(id: number, name: string): ProjectFile {
  return {
    version: 1,
    project_id: id,
    name,
    test: null,
    lint: null,
    environment: { reuse: [], setup: [], lock_files: [] },
    needs_git: false,
  }
}
