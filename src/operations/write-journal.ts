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
import { changeBack, DIRECTORY, entryState, openWorkspace, typeOf, type FileChange, type FileState, type Witness, type Workspace } from '../workspace/files.ts'
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
    files: z.array(z.object({ path: z.string(), before: state() })),
  }),
)
const note = once(() => z.union([z.array(z.nullable(z.string())), z.int(), z.string()]))
type Plan = z.infer<ReturnType<typeof plan>>

/**
 * A line of JSON each: the plan, which files were made (absent: nothing was renamed yet), numbers of changes that began as
 * `Witness` says, names of directories that were made.
 */
interface Journal extends Plan {
  readonly made: readonly (string | null)[] | null
  readonly moved: ReadonlySet<number>
  readonly directories: readonly string[]
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
      began: (index) => appendFileSync(file, `${index}\n`),
      making: (directory) => appendFileSync(file, `${JSON.stringify(directory)}\n`),
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

/** Which files writes below `root` made that go on, or were not receipted yet. */
export function openWrites(kit: Kit, root: string): ReadonlySet<string> {
  const open = namesIn(folderOf(kit)).map((name) => readJournal(join(folderOf(kit), name)))
  return new Set(open.flatMap((entry) => (entry?.root === root ? (entry.made ?? []).filter((id) => id !== null) : [])))
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
    const [first = '', ...rest] = readFileSync(file, 'utf8').split('\n')
    const entry = plan().parse(JSON.parse(first))
    // What ends without a line end was cut off.
    const lines = rest.slice(0, -1).map(parsedLine)
    return {
      ...entry,
      made: lines.find((line) => Array.isArray(line)) ?? null,
      moved: new Set(lines.filter((line) => typeof line === 'number')),
      directories: lines.filter((line) => typeof line === 'string'),
    }
  } catch {
    return null
  }
}

/** null for one that was cut off: nothing was done on it yet. */
function parsedLine(line: string): z.infer<ReturnType<typeof note>> | null {
  try {
    return note().parse(JSON.parse(line))
  } catch {
    return null
  }
}

async function takeBack(kit: Kit, entry: Journal): Promise<Repaired> {
  const { root } = entry
  const files = openWorkspace(root)
  try {
    for (const folder of foldersOf(entry)) ignoring(() => files.sweep(folder))
    const { changes, left } = await ownChanges(kit, entry, files)
    const folders = madeFolders(entry, files)
    if (ignoring(() => files.writeAll([...changes, ...folders]))) return { root, restored: changes.map(({ path }) => path), left }
    // Something is in the way of one: it holds up no other.
    const isBack = changes.map((change) => ignoring(() => files.writeAll([change])) !== undefined)
    for (const folder of folders) ignoring(() => files.writeAll([folder]))
    const paths = (wanted: boolean) => changes.flatMap(({ path }, index) => (isBack[index] === wanted ? path : []))
    return { root, restored: paths(true), left: [...left, ...paths(false)] }
  } finally {
    files.close()
  }
}

/** What puts back each entry that is as this write left it; the others are left. */
async function ownChanges(kit: Kit, entry: Journal, files: Workspace): Promise<{ changes: FileChange[]; left: string[] }> {
  const { made, moved } = entry
  const changes: FileChange[] = []
  const left: string[] = []
  if (made === null) return { changes, left }
  const isKept = await isKeptSince(kit, entry)
  for (const [index, { path, before }] of entry.files.entries()) {
    const found = ignoring(() => files.look(path))
    const now = found ? entryState(found) : null
    if (found !== undefined && before?.sha === now?.sha && before?.mode === now?.mode) continue
    const isOurs = found && typeOf(found.mode) !== DIRECTORY ? found.id === made[index] : found !== undefined && moved.has(index)
    const isBack = isOurs && !(await isKept(path, found ?? null))
    const change = isBack && ignoring(() => changeBack(path, { before, bytes: before && bytesOf(kit, before), now }))
    if (change) changes.push(change)
    else left.push(path)
  }
  return { changes, left }
}

/** The removal of directories that this write made, where nothing is in them by then. */
function madeFolders({ files: entries, directories }: Journal, files: Workspace): FileChange[] {
  const named = new Set(entries.map(({ path }) => path))
  return directories.flatMap((path) => {
    const found = named.has(path) ? null : ignoring(() => files.look(path))
    return found && typeOf(found.mode) === DIRECTORY ? changeBack(path, { before: null, bytes: null, now: entryState(found) }) : []
  })
}

/** Every folder on the way: what is new may have waited in any of them. */
function foldersOf({ files }: Plan): Set<string> {
  const folders = new Set([''])
  for (const { path } of files) for (let at = dirname(path); at !== '.'; at = dirname(at)) folders.add(at)
  return folders
}

function bytesOf(kit: Kit, { sha, mode }: FileState): Buffer {
  return typeOf(mode) === DIRECTORY ? Buffer.alloc(0) : readBlob(kit, sha)
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
