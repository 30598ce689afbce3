/**
 * What a write into a person's checkout is about to do, on disk before it is begun and gone when its receipt is
 * written: a kill in between leaves enough to put every file back as it was. The next operation in that checkout that
 * may change something does so first, so that none is taken for the cut one. Only what is proved to be of the cut write
 * is put back: the very files it made, and what it was about to remove. Attempts need none, their trees are thrown away.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { isVpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { openWorkspace, type FileBytes, type FileChange, type Witness } from '../workspace/files.ts'
import { syncFiles } from '../workspace/sync-file-system.ts'
import { readBlob } from './blobs.ts'
import type { Kit } from './kit.ts'
import { isKeptSince } from './kept-since.ts'

const state = once(() => z.nullable(z.object({ sha: z.string(), mode: z.int() })))
const plan = once(() =>
  z.object({
    receipt: z.string(),
    worker: z.string(),
    root: z.string(),
    /** Milliseconds since the epoch. */
    began: z.number(),
    files: z.array(z.object({ path: z.string(), before: state(), after: z.nullable(z.string()) })),
  }),
)
const ids = once(() => z.array(z.nullable(z.string())))
type Plan = z.infer<ReturnType<typeof plan>>
export type Planned = Plan['files'][number]

/** A line of JSON each: the plan, which files were made (absent: nothing was renamed yet), and which changes began to remove theirs. */
interface Journal extends Plan {
  readonly made: readonly (string | null)[] | null
  readonly removed: ReadonlySet<number>
}

const folderOf = (kit: Pick<Kit, 'paths'>): string => join(kit.paths.state, 'journal')

/** Throws `store.full`; then nothing was begun. */
export function openJournal(kit: Kit, entry: Omit<Plan, 'worker' | 'began'>): { readonly witness: Witness; close(): void } {
  const folder = folderOf(kit)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, `${entry.receipt}.json`)
  const line = JSON.stringify({ ...entry, worker: kit.worker, began: kit.clock.now() } satisfies Plan)
  writeFileSync(`${file}.new`, `${line}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return {
    witness: {
      prepared(made) {
        appendFileSync(file, `${JSON.stringify(made)}\n`)
        syncFiles(folder, [file])
        kit.point('files.prepared')
      },
      removing: (index) => appendFileSync(file, `${index}\n`),
    },
    close: () => rmSync(file, { force: true }),
  }
}

export interface Repaired {
  readonly root: string
  readonly restored: readonly string[]
  /** What somebody changed or kept since, or whose copy is gone: as it is. */
  readonly left: readonly string[]
}

/** Puts back what writes that were killed had done so far, below `root` alone where one is named. Those of living processes are theirs to end. */
export async function repairWrites(kit: Kit, root?: string): Promise<Repaired[]> {
  const repaired: Repaired[] = []
  for (const name of namesIn(folderOf(kit))) {
    const file = join(folderOf(kit), name)
    const entry = readJournal(file)
    if (entry && ((root !== undefined && entry.root !== root) || kit.isAlive(entry.worker))) continue
    // With a receipt it was done: only this note was left.
    const isDone = entry && (await kit.store.read((tx) => tx.get('SELECT 1 FROM receipts WHERE id = ?', entry.receipt)))
    if (entry && !isDone) repaired.push(await takeBack(kit, entry))
    rmSync(file, { force: true })
  }
  return repaired
}

/** One sentence. */
export function repairedWords({ root, restored, left }: Repaired): string {
  const names = left.length === 0 ? '' : `, ${left.length} left, changed or committed since: ${left.slice(0, 3).join(', ')}`
  return `a write in ${root} was cut off: ${restored.length} of its files put back${names}`
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
    const [first = '', second, ...rest] = readFileSync(file, 'utf8').split('\n')
    const entry = plan().parse(JSON.parse(first))
    return { ...entry, made: parsedIds(second), removed: new Set(rest.filter((line) => line !== '').map(Number)) }
  } catch {
    return null
  }
}

/** A line that was cut off was not yet relied on. */
function parsedIds(line: string | undefined): readonly (string | null)[] | null {
  try {
    return ids().parse(JSON.parse(line ?? ''))
  } catch {
    return null
  }
}

async function takeBack(kit: Kit, entry: Journal): Promise<Repaired> {
  const { root, made, removed } = entry
  const restored: string[] = []
  const left: string[] = []
  const files = openWorkspace(root)
  try {
    const isKept = await isKeptSince(kit, entry)
    for (const folder of new Set(entry.files.map(({ path }) => dirname(path)))) ignoring(() => files.sweep(folder === '.' ? '' : folder))
    for (const [index, { path, before, after }] of entry.files.entries()) {
      const found = ignoring(() => (files.exists(path) ? files.read(path) : null))
      const now = found ? sha256(found.bytes) : null
      if (made === null || (found !== undefined && isAsBefore(before, found, now))) continue
      const isOurs = found ? found.id === made[index] : found === null && after === null && removed.has(index)
      const isBack = isOurs && !(await isKept(path, found ?? null)) && ignoring(() => files.writeAll([changeTo(kit, path, { before, now })]))
      ;(isBack ? restored : left).push(path)
    }
  } finally {
    files.close()
  }
  return { root, restored, left }
}

function isAsBefore(before: Planned['before'], found: FileBytes | null, now: string | null): boolean {
  return before === null ? found === null : found !== null && now === before.sha && found.mode === before.mode
}

function changeTo(kit: Kit, path: string, { before, now }: { before: Planned['before']; now: string | null }): FileChange {
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
