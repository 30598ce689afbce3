/**
 * `vp undo`: gives back the bytes from before a receipt, a task or a run. Shows first, restores exactly, leaves
 * what changed since, touches neither branch nor index nor stash, and can itself be undone.
 */
import { VpError } from '../../core/errors.ts'
import { namesReceipt, shortReceipt } from '../../core/ids.ts'
import { MACHINE_CHAIN } from '../../ledger/receipts.ts'
import { countChanges, gitMode } from '../../patch/make.ts'
import { decode, isBinary } from '../../patch/text-file.ts'
import type { Tx } from '../../store/contract.ts'
import {
  changeBack,
  DIRECTORY,
  entryState,
  LINK,
  openWorkspace,
  typeOf,
  type FileBytes,
  type FileChange,
  type FileState,
  type Workspace,
} from '../../workspace/files.ts'
import { writeFiles } from '../before-images.ts'
import { readBlob } from '../blobs.ts'
import { diffOf } from '../fs.ts'
import type { Scene } from '../operation.ts'
import { isShown, planUndo, type Image } from './undo-plan.ts'

export interface UndoFile {
  readonly path: string
  readonly outcome: 'restored' | 'would_restore' | 'refused' | 'unchanged'
  readonly reason: string | null
  readonly add: number | null
  readonly del: number | null
}

export interface Undone {
  readonly id: string
  readonly files: readonly UndoFile[]
  readonly restored: number
  readonly refused: number
  readonly applied: boolean
  /** Of whole files in their order, at most `MAX_DIFF` characters. */
  readonly diff: string
  /** Files whose hunks did not fit into `diff`; their lines are counted all the same. */
  readonly diff_omitted: number
  /** What is not known of these writes. */
  readonly caveat: string | null
}

/** Who reads more than this reads it in the files; each character is looked through for secrets. */
const MAX_DIFF = 1024 * 1024

/** `id` is a receipt, `T7`, a run or any unique part of one; absent: the last change of this checkout. Throws `undo.not_found`, `undo.ambiguous`. */
export async function undo(scene: Scene, id: string | null, apply: boolean): Promise<Undone> {
  // What vp itself recorded may be given back whatever its name is: only the policy's names are left out, links are not followed.
  const files = openWorkspace(scene.tree.root)
  try {
    return await undoIn(scene, files, { id, apply })
  } finally {
    files.close()
  }
}

async function undoIn(scene: Scene, workspace: Workspace, { id, apply }: { readonly id: string | null; readonly apply: boolean }): Promise<Undone> {
  const { kit } = scene
  const receipt = await findChange(scene, id)
  const rows = await imagesOf(scene, receipt)
  const plan = planUndo(workspace, rows)
  const diffs = createDiffs()
  const changes = plan.flatMap(({ row, verdict, now }): FileChange[] => {
    if (verdict !== 'restore') return []
    return [changeBack(row.path, { before: row.before, bytes: row.before && bytesOf(kit, row.before), now: now && entryState(now) })]
  })
  const files = plan.filter(isShown).map(({ row, verdict, now }): UndoFile => {
    if (verdict === 'unchanged') return { path: row.path, outcome: 'unchanged', reason: null, add: 0, del: 0 }
    if (verdict !== 'restore') return { path: row.path, outcome: 'refused', reason: verdict.refused, add: null, del: null }
    const isPlain = [row.before, now].every((state) => state === null || typeOf(state.mode) === 0)
    const counted = isPlain
      ? diffs.add(row.path, now, row.before && { bytes: bytesOf(kit, row.before), mode: row.before.mode })
      : diffs.say(row.path, turnWords(row.before, now))
    return { path: row.path, outcome: apply ? 'restored' : 'would_restore', reason: null, ...counted }
  })
  const told = await toldBy(scene, receipt)
  for (const path of told.notKept) files.push({ path, outcome: 'refused', reason: NO_COPY, add: null, del: null })
  if (apply && changes.length > 0) await writeFiles(scene, changes, workspace)
  return {
    id: receipt,
    files,
    restored: files.filter(({ outcome }) => outcome === 'restored' || outcome === 'would_restore').length,
    refused: files.filter((file) => file.outcome === 'refused').length,
    applied: apply && changes.length > 0,
    ...diffs.told(),
    caveat: told.caveat,
  }
}

type PlainFile = Pick<FileBytes, 'bytes' | 'mode'>

/** Hunks as long as there is room for them, the count of lines always. */
function createDiffs() {
  const parts: string[] = []
  let length = 0
  let omitted = 0
  const tell = (diff: string | null) => {
    if (diff === null || length + diff.length > MAX_DIFF) omitted++
    else {
      parts.push(diff)
      length += diff.length
    }
  }
  return {
    add(path: string, was: PlainFile | null, is: PlainFile | null): Pick<UndoFile, 'add' | 'del'> {
      const [before, after] = [was?.bytes ?? null, is?.bytes ?? null]
      const isText = !isBinary(before ?? EMPTY) && !isBinary(after ?? EMPTY)
      const diff = omitted === 0 ? diffOf(path, before, after, { ...(was && { oldMode: gitMode(was.mode) }), ...(is && { newMode: gitMode(is.mode) }) }) : null
      tell(diff)
      if (!isText) return { add: null, del: null }
      return diff === null ? countChanges(before && decode(before), after && decode(after)) : countLines(diff)
    },
    /** What has no lines. */
    say(path: string, words: string): Pick<UndoFile, 'add' | 'del'> {
      tell(`${path}: ${words}\n`)
      return { add: null, del: null }
    },
    told: () => ({ diff: parts.join(''), diff_omitted: omitted }),
  }
}

function turnWords(before: FileState | null, now: FileBytes | null): string {
  const word = (mode: number | undefined) =>
    mode === undefined ? 'nothing' : ({ [LINK]: 'a symlink', [DIRECTORY]: 'a directory', 0: 'a file' }[typeOf(mode)] ?? 'a file')
  return `${word(now?.mode)} now, ${word(before?.mode)} again`
}

const EMPTY = Buffer.alloc(0)

/** Of the hunks, which follow the head. */
function countLines(diff: string): { add: number; del: number } {
  const hunks = diff.indexOf('\n@@ ')
  const lines = hunks < 0 ? [] : diff.slice(hunks + 1).split('\n')
  return { add: lines.filter((line) => line.startsWith('+')).length, del: lines.filter((line) => line.startsWith('-')).length }
}

const OF_A_COMMAND = 'what somebody else changed here while the command ran counts as its writes too'
const NO_COPY = 'vp kept no copy of what was there: it was too large, a pipe or a socket, a file with another name, or written by vp too meanwhile'

/** What the receipt itself says: nothing of a task's part of one. */
async function toldBy({ kit }: Scene, receipt: string): Promise<{ readonly notKept: readonly string[]; readonly caveat: string | null }> {
  const sql = `SELECT json_extract(body, '$.op') AS op, json_extract(body, '$.detail.not_kept') AS paths FROM receipts WHERE id = ?`
  const row = await kit.store.read((tx) => tx.get<{ op: string; paths: string | null }>(sql, receipt))
  const isCommand = ['run.exec', 'run.test', 'run.lint', 'run.build'].includes(row?.op ?? '')
  return { notKept: row?.paths ? (JSON.parse(row.paths) as string[]) : [], caveat: isCommand ? OF_A_COMMAND : null }
}

async function imagesOf({ kit, tree }: Scene, receipt: string): Promise<Image[]> {
  const sql = 'SELECT path, before_sha, before_mode, after_sha, after_mode FROM before_images WHERE receipt_id = ? AND root = ? ORDER BY path'
  type Row = { path: string; before_sha: string | null; before_mode: number | null; after_sha: string | null; after_mode: number | null }
  const rows = await kit.store.read((tx) => tx.all<Row>(sql, receipt, tree.root))
  const state = (sha: string | null, mode: number | null): FileState | null => (mode === null ? null : { sha: sha ?? '', mode })
  return rows.map((row) => ({ path: row.path, before: state(row.before_sha, row.before_mode), after: state(row.after_sha, row.after_mode) }))
}

function bytesOf(kit: Scene['kit'], { sha, mode }: FileState): Buffer {
  return typeOf(mode) === DIRECTORY ? EMPTY : readBlob(kit, sha)
}

/** Whether anything of a run has reached the checkout at `root`, so that `vp undo` of it finds something. */
export async function hasChanged(tx: Tx, root: string, runId: string): Promise<boolean> {
  const sql = `SELECT 1 AS found FROM before_images b JOIN receipts r ON r.id = b.receipt_id WHERE b.root = ? AND json_extract(r.body, '$.detail.run') = ? LIMIT 1`
  return (await tx.get<{ found: number }>(sql, root, runId)) !== undefined
}

async function findChange(scene: Scene, id: string | null): Promise<string> {
  const { kit, tree } = scene
  const none = () =>
    new VpError('undo.not_found', id === null ? 'nothing that vp changed here can be undone' : `${id} changed nothing here`, { next: ['vp logs'] })
  const sql = `SELECT DISTINCT b.receipt_id AS id, r.seq AS seq, COALESCE(json_extract(r.body, '$.detail.run'), r.run_id) AS run_id FROM before_images b JOIN receipts r ON r.id = CASE WHEN instr(b.receipt_id, '#') > 0 THEN substr(b.receipt_id, 1, instr(b.receipt_id, '#') - 1) ELSE b.receipt_id END WHERE b.root = ? ORDER BY r.seq DESC`
  const all = await kit.store.read((tx) => tx.all<{ id: string; seq: number; run_id: string }>(sql, tree.root))
  const whole = all.filter((row) => !row.id.includes('#'))
  if (id === null) {
    const last = whole[0]
    if (!last) throw none()
    return last.id
  }
  if (/^T\d+$/i.test(id)) {
    const task = all.find((row) => row.id.endsWith(`#${id.toUpperCase()}`))
    if (!task) throw none()
    return task.id
  }
  const found = all.find((row) => row.id === id) ?? theOne(whole, id)
  if (!found) throw (await notKeptAtAll(scene, id)) ?? (await elsewhere(scene, id)) ?? none()
  return found.id
}

interface Change {
  readonly id: string
  readonly run_id: string
}

/** The change that a part of a receipt's or a run's id names; of a run the newest. Throws `undo.ambiguous` where it names several. */
function theOne(changes: readonly Change[], typed: string): Change | undefined {
  const isRun = changes.some(({ run_id }) => run_id === typed)
  const runs = new Set<string>()
  const found = changes.filter(({ id, run_id }) => {
    if (namesReceipt(id, typed) && !isRun) return true
    if (run_id === MACHINE_CHAIN || runs.has(run_id) || !(isRun ? run_id === typed : run_id.includes(typed))) return false
    runs.add(run_id)
    return true
  })
  if (found.length < 2) return found[0]
  const first = found.slice(0, 3).map(({ id, run_id }) => (runs.has(run_id) ? run_id : shortReceipt(id)))
  throw new VpError('undo.ambiguous', `${typed} fits ${found.length} changes: ${first.join(', ')}${found.length > 3 ? ', …' : ''}`, {
    next: first.map((one) => `vp undo ${one}`),
  })
}

async function notKeptAtAll({ kit }: Scene, id: string): Promise<VpError | null> {
  const sql = `SELECT id FROM receipts WHERE instr(id, ?) > 0 AND json_extract(body, '$.detail.not_kept') IS NOT NULL LIMIT 50`
  const rows = await kit.store.read((tx) => tx.all<{ id: string }>(sql, id.replace(/^r_/i, '').toUpperCase()))
  return rows.some((row) => namesReceipt(row.id, id)) ? new VpError('undo.not_found', `${id} cannot be given back: ${NO_COPY}`) : null
}

/** A change of another checkout, or a receipt of something that a task did in a tree of its own: only what came of it reached this checkout. */
async function elsewhere(scene: Scene, id: string): Promise<VpError | null> {
  const { kit, tree } = scene
  const rows = await kit.store.read((tx) =>
    tx.all<{ id: string; run_id: string; attempt: number | null; root: string | null }>(
      `SELECT r.id AS id, r.run_id AS run_id, r.attempt AS attempt, p.root AS root FROM receipts r
         LEFT JOIN runs n ON n.run_id = r.run_id LEFT JOIN projects p ON p.id = n.project_id
         WHERE instr(r.id, ?) > 0 OR instr(r.run_id, ?) > 0 ORDER BY r.seq DESC LIMIT 50`,
      id.replace(/^r_/i, '').toUpperCase(),
      id,
    ),
  )
  const named = rows.filter((row) => namesReceipt(row.id, id) || row.run_id.includes(id))
  const away = named.find((row) => row.root !== null && row.root !== tree.root)
  const row = named.find((one) => one.attempt !== null && one.root === tree.root && namesReceipt(one.id, id))
  if (!row)
    return away
      ? new VpError('undo.not_found', `${id} is of another checkout, at ${away.root}; undo gives back what is in this one`, { next: [`cd ${away.root}`] })
      : null
  return new VpError('undo.not_found', `${id} is a step inside run ${row.run_id}, in a tree of its own; nothing of it alone is in your checkout`, {
    next: [`vp undo ${row.run_id}`, `vp logs ${row.run_id}`],
  })
}
