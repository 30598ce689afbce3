/**
 * The words of the requirements that the tasks of a run are told: what they were when it began, kept beside its passport, so that it goes on, replays
 * and forks with the same words whatever becomes of the file.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import { tasksFromPrd } from '../../plms/embedded/prd.ts'
import { readRepositoryFile } from '../../workspace/repository-file.ts'
import type { Kit } from '../kit.ts'
import type { Scene } from '../operation.ts'
import { runDirectory } from './run-scene.ts'

const MAX_CONTEXT = 2500
const FILE = 'requirements.json'

/** The person's own words beside the task list, masked, then bounded; null when there are none. Throws `path.*` for a link and what is no file. */
export function prdContext({ kit, tree }: Pick<Scene, 'kit' | 'tree'>, root = tree.root): string | null {
  const bytes = readRepositoryFile(root, '.vp/prd.md')
  if (bytes === null) return null
  const context = kit.redactText(tasksFromPrd(bytes.toString('utf8')).context)
  return context === '' ? null : context.length > MAX_CONTEXT ? `${context.slice(0, MAX_CONTEXT)} …` : context
}

/** In the directory of a run that begins. */
export function keepRequirements(directory: string, words: string | null): void {
  writeFileSync(join(directory, FILE), JSON.stringify({ words }))
}

/** Of a run of `root`'s project. A run of before this was kept has what the file says now; a goal that was typed has none. */
export function requirementsOf(
  scene: Pick<Scene, 'kit' | 'tree'>,
  { run_id, origin }: Pick<RunState, 'run_id' | 'origin'>,
  root = scene.tree.root,
): string | null {
  const kept = keptAt(scene.kit, run_id)
  if (kept) return kept.words
  return origin === 'do' ? null : prdContext(scene, root)
}

function keptAt(kit: Kit, runId: RunState['run_id']): { readonly words: string | null } | null {
  const file = join(runDirectory(kit, runId), FILE)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { words: string | null }) : null
}
