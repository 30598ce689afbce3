/**
 * A person's branch, index and tree move together, and are two steps of git: a note on disk before the first one, gone after the second. What a kill left
 * between them is finished before the next operation in that checkout that may change something, or by `vp doctor`.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { sha256 } from '../core/json.ts'
import { finishFastForward, openHumanRepository, type Move } from '../workspace/human-repository.ts'
import { syncFiles } from '../workspace/sync-file-system.ts'
import type { Kit } from './kit.ts'

const note = once(() => z.object({ root: z.string(), worker: z.string(), branch: z.string(), from: z.string(), to: z.string(), message: z.string() }))

export interface FinishedMove {
  readonly root: string
  /** Short name. */
  readonly branch: string
  /** Of the commit that the branch is at. */
  readonly to: string
  /** What is in the way of index and tree, in git's words; null: they moved. */
  readonly left: string | null
}

const folderOf = (kit: Pick<Kit, 'paths'>): string => join(kit.paths.state, 'moves')
const fileOf = (kit: Pick<Kit, 'paths'>, root: string): string => join(folderOf(kit), `${sha256(root).slice(0, 16)}.json`)

/** Returns what takes the note away again. Throws `store.full`; then nothing was begun. */
export function noteMove(kit: Kit, root: string, move: Move): () => void {
  const file = fileOf(kit, root)
  mkdirSync(folderOf(kit), { recursive: true, mode: 0o700 })
  writeFileSync(`${file}.new`, JSON.stringify({ root, worker: kit.worker, ...move }), { mode: 0o600 })
  syncFiles(folderOf(kit), [`${file}.new`])
  renameSync(`${file}.new`, file)
  return () => rmSync(file, { force: true })
}

/** Finishes the moves of killed processes, below `root` alone where one is named. Those of living processes are theirs. */
export async function finishMoves(kit: Kit, root?: string): Promise<FinishedMove[]> {
  const finished: FinishedMove[] = []
  for (const file of root === undefined ? notesIn(folderOf(kit)) : [fileOf(kit, root)]) {
    const noted = readNote(file)
    if (noted === null || kit.isAlive(noted.worker)) continue
    const human = await openHumanRepository(kit.git, noted.root, kit.paths.views).catch(() => null)
    if (human === null) continue // moved away, or not mounted
    const left = await finishFastForward(kit.git, human, noted)
    if (left !== 'nothing')
      finished.push({ root: noted.root, branch: noted.branch.replace('refs/heads/', ''), to: noted.to, left: left === 'finished' ? null : left.why })
    if (typeof left === 'string') rmSync(file, { force: true })
  }
  return finished
}

/** One sentence. */
export function finishedWords({ branch, to, left }: FinishedMove): string {
  const at = `${branch} is at ${to.slice(0, 7)} since vp was killed`
  return left === null ? `${at}: your tree and index are moved there too` : `${at}, and your tree and index are not: ${left}`
}

function notesIn(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((name) => (name.endsWith('.json') ? [join(folder, name)] : []))
  } catch {
    return [] // nothing was ever moved
  }
}

/** null where there is none, or one that was cut off, before anything was begun. */
function readNote(file: string): (Move & { readonly root: string; readonly worker: string }) | null {
  try {
    return note().parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return null
  }
}
