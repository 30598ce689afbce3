/**
 * From a request to a driven run, for every verb that starts or continues one: the model, the words of the
 * requirements, the gates, who watches.
 */
import { VpError } from '../../core/errors.ts'
import type { DriveEnd } from '../../pas/embedded/drive.ts'
import { exitOf } from '../../pas/embedded/drive.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import type { GateOverride, ProjectFile } from '../../plms/contract/types.ts'
import type { Kit } from '../kit.ts'
import type { OpenModel } from '../models.ts'
import type { Scene } from '../operation.ts'
import { driveToEnd } from './drive.ts'
import { keepProject } from './kept-project.ts'
import { requirementsOf } from './requirements.ts'
import { runDirectory } from './run-scene.ts'
import { NOBODY } from './watcher.ts'

export interface Session {
  readonly state: RunState
  readonly project: ProjectFile
  readonly model: OpenModel
  readonly gates: readonly GateOverride[]
}

export async function driveSession(scene: Scene, session: Session): Promise<DriveEnd> {
  const { kit, caller, signal } = scene
  keepProject(runDirectory(kit, session.state.run_id), session.project)
  return driveToEnd(kit, {
    state: session.state,
    project: session.project,
    model: session.model,
    gates: session.gates,
    prd: requirementsOf(scene, session.state),
    ...confirmOf(caller),
    ...(caller.yes ? { yes: true } : {}),
    watcher: caller.live?.watcher ?? NOBODY,
    stop: signal,
    pause: caller.live?.pause ?? new AbortController().signal,
  })
}

/** While several tasks run, questions are put by whoever watches. */
function confirmOf(caller: Scene['caller']): Pick<Parameters<typeof driveToEnd>[1], 'confirm'> {
  const confirm = caller.live?.confirm ?? caller.confirm
  return confirm ? { confirm } : {}
}

/** The error that a run's end means to whoever started it, or null when it is done. */
export function endError(kit: Kit, end: DriveEnd): { exit: number; error: VpError | null } {
  const { state } = end
  if (end.kind === 'waiting') {
    const ids = Object.values(state.tasks).flatMap((task) => (task.waits_for ? [task.waits_for] : []))
    return {
      exit: 5,
      error: new VpError('approval.needed', `${ids.length} ${ids.length === 1 ? 'call waits' : 'calls wait'} for a person's yes`, {
        next: ids.map((id) => `vp approve ${id}`),
        ...(ids[0] ? { approval: ids[0] } : {}),
      }),
    }
  }
  return { exit: exitOf(state.status, state.reason), error: null }
}
