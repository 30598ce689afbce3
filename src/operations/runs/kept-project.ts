/**
 * The project file of a run as it was when the run last went on, beside its passport: what its gates were measured with, whatever a person writes into
 * `.vp/project.json` later. A run of `vp do` has no other.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { printDocument } from '../../ledger/passport.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import type { ProjectFile } from '../../plms/contract/types.ts'
import type { Kit } from '../kit.ts'
import { runDirectory } from './run-scene.ts'

const FILE = 'project.json'

/** Whole or not at all; nothing is written where it is the same. */
export function keepProject(directory: string, project: ProjectFile): void {
  const [file, text] = [join(directory, FILE), printDocument(project)]
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

/** Null for a run of before it was kept. */
export function keptProject(kit: Kit, runId: RunState['run_id']): ProjectFile | null {
  const file = join(runDirectory(kit, runId), FILE)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ProjectFile) : null
}
