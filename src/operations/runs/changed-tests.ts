/**
 * Files of tests from before a run that the run changed. That none was deleted, skipped or broken is a gate's matter;
 * whether a changed one asks less than it did is a person's, so they are named wherever a run is looked at.
 */
import { groundOf } from '../../pas/embedded/reducer/repair.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import { isTestPath } from '../../workspace/detect.ts'
import { treeChanges } from '../../workspace/run-repository.ts'
import type { Kit } from '../kit.ts'
import type { RunScene } from './run-scene.ts'

export async function changedTests(kit: Kit, run: RunScene, state: RunState): Promise<string[]> {
  const ground = groundOf(state)
  if (state.head === ground) return []
  const changes = await treeChanges(kit.git, run.repository.gitDir, ground, state.head)
  return changes.filter(({ path, status }) => status !== 'A' && isTestPath(path)).map(({ path }) => path)
}
