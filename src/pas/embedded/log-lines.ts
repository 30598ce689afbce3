/** The ledger of a run in words, line by line: `vp logs`, `run.logs`. Loads built-ins only. */
import { VpError } from '../../core/errors.ts'
import { isoUtc } from '../../core/ports.ts'
import type { Tx } from '../../store/contract.ts'
import type { RunState, TaskState } from './reducer/state.ts'

export interface LogLine {
  /** Place in the whole ledger; ask for what is after it to go on. */
  readonly seq: number
  readonly receipt: string
  /** ISO-8601 UTC. */
  readonly t: string
  /** The plan's number, null for what belongs to no task. */
  readonly task: number | null
  readonly op: string
  readonly outcome: string
  /** One line; errors as `code: message`. */
  readonly text: string
}

interface Row {
  readonly seq: number
  readonly id: string
  readonly ts: number
  readonly op: string
  readonly task_id: string | null
  readonly outcome: string
  readonly body: string
}

/** Oldest first. `task` is `T7`, `7` or an id. Throws `run.none` for a task that the run does not have. */
export async function logLines(tx: Tx, state: RunState, wanted: { readonly after: number; readonly task?: string | undefined }): Promise<LogLine[]> {
  const numbers = new Map(Object.values(state.tasks).map((one) => [one.task_id as string, one.card.payload.n]))
  const only = wanted.task === undefined ? null : taskId(numbers, wanted.task)
  if (only === undefined) throw new VpError('run.none', `run ${state.run_id} has no task ${wanted.task}`, { next: ['vp status'] })
  const rows = await tx.all<Row>(
    'SELECT seq, id, ts, op, task_id, outcome, body FROM receipts WHERE run_id = ? AND seq > ? AND (? IS NULL OR task_id = ?) ORDER BY seq',
    state.run_id,
    wanted.after,
    only,
    only,
  )
  return rows.map((row) => ({
    seq: row.seq,
    receipt: row.id,
    t: isoUtc(row.ts),
    task: row.task_id === null ? null : (numbers.get(row.task_id) ?? null),
    op: row.op,
    outcome: row.outcome,
    text: textOf(row),
  }))
}

function taskId(numbers: ReadonlyMap<string, number>, named: string): string | undefined {
  return [...numbers].find(([id, n]) => id === named || `T${n}` === named.toUpperCase() || String(n) === named)?.[0]
}

function textOf(row: Row): string {
  const body = JSON.parse(row.body) as { summary?: string; error?: { code: string; message: string } }
  return (body.error ? `${body.error.code}: ${body.error.message}` : (body.summary ?? row.outcome)).split('\n')[0] ?? ''
}

const VERBS: Readonly<Record<string, string>> = {
  'fs.read': 'read',
  'fs.list': 'list',
  'fs.edit': 'edit',
  'fs.write': 'write',
  'fs.patch': 'patch',
  'search.code': 'search',
  'run.test': 'test',
  'run.exec': 'run',
  'model.call': 'model',
  'tool.call': 'call',
  'gate.tests': 'gate',
  'gate.lint': 'gate',
  'task.merged': 'done',
  'task.failed': 'again',
  'task.waiting': 'waits',
  'task.released': 'back',
  'run.passport': 'pass',
  'run.start': 'start',
  'run.end': 'end',
}

/** What an operation is called where a person reads. */
export function verbOf(op: string): string {
  return VERBS[op] ?? op.split('.').at(-1) ?? op
}

/** The last step of a task in a verb and its object; null before the first. */
export async function lastWords(tx: Tx, { task_id, card }: TaskState): Promise<string | null> {
  const row = await tx.get<Row>('SELECT * FROM receipts WHERE run_id = ? AND task_id = ? ORDER BY n DESC LIMIT 1', card.run_id, task_id)
  return row ? `${verbOf(row.op)} ${textOf(row)}` : null
}
