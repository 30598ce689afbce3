/**
 * What a write into a person's checkout is about to do, on disk before it is begun and gone when its receipt is
 * written: a kill in between leaves enough to put every file back as it was. Attempts need none, their trees are
 * thrown away.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { isVpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { openWorkspace, type FileChange } from '../workspace/files.ts'
import { syncFiles } from '../workspace/sync-file-system.ts'
import { readBlob } from './blobs.ts'
import type { Kit } from './kit.ts'

const state = once(() => z.nullable(z.object({ sha: z.string(), mode: z.int() })))
const journal = once(() =>
  z.object({
    receipt: z.string(),
    worker: z.string(),
    root: z.string(),
    files: z.array(z.object({ path: z.string(), before: state(), after: z.nullable(z.string()) })),
  }),
)
type Journal = z.infer<ReturnType<typeof journal>>
export type Planned = Journal['files'][number]

const folderOf = (kit: Pick<Kit, 'paths'>): string => join(kit.paths.state, 'journal')

/** Returns what closes it. Throws `store.full`; then nothing was begun. */
export function openJournal(kit: Kit, entry: Omit<Journal, 'worker'>): () => void {
  const folder = folderOf(kit)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, `${entry.receipt}.json`)
  writeFileSync(`${file}.new`, JSON.stringify({ ...entry, worker: kit.worker }), { mode: 0o600 })
  syncFiles(folder, [`${file}.new`])
  renameSync(`${file}.new`, file)
  return () => rmSync(file, { force: true })
}

export interface Repaired {
  readonly root: string
  readonly restored: readonly string[]
  /** What somebody changed since, or whose copy is gone: left as it is. */
  readonly left: readonly string[]
}

/** Puts back what writes that were killed had done so far. Those of living processes are theirs to end. */
export async function repairWrites(kit: Kit): Promise<Repaired[]> {
  const repaired: Repaired[] = []
  for (const name of namesIn(folderOf(kit))) {
    const file = join(folderOf(kit), name)
    const entry = readJournal(file)
    if (entry && kit.isAlive(entry.worker)) continue
    // With a receipt it was done: only this note was left.
    const isDone = entry && (await kit.store.read((tx) => tx.get('SELECT 1 FROM receipts WHERE id = ?', entry.receipt)))
    if (entry && !isDone) repaired.push(takeBack(kit, entry))
    rmSync(file, { force: true })
  }
  return repaired
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // nothing was ever written
  }
}

/** null: cut off before it was whole, so before anything was begun. */
function readJournal(file: string): Journal | null {
  try {
    return journal().parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return null
  }
}

function takeBack(kit: Kit, { root, files: entries }: Journal): Repaired {
  const restored: string[] = []
  const left: string[] = []
  const files = openWorkspace(root)
  try {
    for (const folder of new Set(entries.map(({ path }) => dirname(path)))) ignoring(() => files.sweep(folder === '.' ? '' : folder))
    for (const { path, before, after } of entries) {
      const now = ignoring(() => (files.exists(path) ? sha256(files.read(path).bytes) : null))
      if (now === (before?.sha ?? null)) continue
      const done = now === after && ignoring(() => files.writeAll([changeTo(kit, path, { before, now })]))
      ;(done ? restored : left).push(path)
    }
  } finally {
    files.close()
  }
  return { root, restored, left }
}

function changeTo(kit: Kit, path: string, { before, now }: { before: z.infer<ReturnType<typeof state>>; now: string | null }): FileChange {
  return { path, bytes: before === null ? null : readBlob(kit, before.sha), expectSha: now, ...(before === null ? {} : { mode: before.mode }) }
}

/** undefined where the file or the folder is none of ours any more. */
function ignoring<Value>(body: () => Value): Value | undefined {
  try {
    return body()
  } catch (error) {
    if (isVpError(error)) return undefined
    throw error
  }
}
