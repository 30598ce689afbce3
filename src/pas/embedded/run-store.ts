/**
 * Runs in the store: their event log, and the folded state beside it for readers in a hurry. Both are written in
 * one transaction, so they never disagree (`rebuildRun` proves it).
 */
import { VpError } from '../../core/errors.ts'
import type { RunId } from '../../core/ids.ts'
import { canonicalJson, sha256 } from '../../core/json.ts'
import type { Tx } from '../../store/contract.ts'
import { fold, reduce } from './reducer/reduce.ts'
import type { RunCommand, RunEvent, RunState } from './reducer/state.ts'

type WithoutTime<Event> = Event extends { ts: number } ? Omit<Event, 'ts'> : never
/** An event before the store has given it its time. */
export type EventDraft = WithoutTime<RunEvent>

interface RunRow {
  readonly run_id: string
  readonly events: number
  readonly summary: string
}

export async function loadRun(tx: Tx, runId: string): Promise<RunState | null> {
  return stateIn(await tx.get<RunRow>('SELECT run_id, events, summary FROM runs WHERE run_id = ?', runId))
}

/** Throws `run.none`. */
export async function requireRun(tx: Tx, runId: string): Promise<RunState> {
  const state = await loadRun(tx, runId)
  if (!state) throw new VpError('run.none', `there is no run ${runId}`, { next: ['vp status'] })
  return state
}

/** Folds `drafts` into the run and writes both; the first event of a run creates it. */
export async function appendEvents(tx: Tx, now: number, runId: RunId, drafts: readonly EventDraft[]): Promise<{ state: RunState; commands: RunCommand[] }> {
  const row = await tx.get<RunRow>('SELECT run_id, events, summary FROM runs WHERE run_id = ?', runId)
  let state = row ? (JSON.parse(row.summary) as RunState) : null
  let n = row?.events ?? 0
  const commands: RunCommand[] = []
  for (const draft of drafts) {
    const event = { ...draft, ts: now } as RunEvent
    const reduced = reduce(state, event)
    if (reduced.state === state) continue // late or doubled: nothing happened, so nothing is logged
    state = reduced.state
    commands.push(...reduced.commands)
    await tx.run('INSERT INTO run_events (run_id, n, ts, type, body) VALUES (?, ?, ?, ?, ?)', runId, ++n, now, event.type, canonicalJson(event))
  }
  if (!state) throw new VpError('internal', 'a run without a first event')
  if (row) await tx.run('UPDATE runs SET status = ?, events = ?, summary = ? WHERE run_id = ?', state.status, n, canonicalJson(state), runId)
  else
    await tx.run(
      'INSERT INTO runs (run_id, project_id, kind, status, events, summary, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
      runId,
      state.project_id,
      state.kind,
      state.status,
      n,
      canonicalJson(state),
      now,
    )
  return { state, commands }
}

export async function runEvents(tx: Tx, runId: string): Promise<RunEvent[]> {
  return runEventsAfter(tx, runId, 0)
}

/** Those after the first `n`. */
export async function runEventsAfter(tx: Tx, runId: string, n: number): Promise<RunEvent[]> {
  const rows = await tx.all<{ body: string }>('SELECT body FROM run_events WHERE run_id = ? AND n > ? ORDER BY n', runId, n)
  return rows.map((row) => JSON.parse(row.body) as RunEvent)
}

/** Of a run's log, or of its beginning: what the receipt of a run's end names. */
export function eventsSha(events: readonly RunEvent[]): string {
  return sha256(canonicalJson(events))
}

/** The state as the log alone gives it. */
export async function rebuildRun(tx: Tx, runId: string): Promise<RunState | null> {
  return fold(await runEvents(tx, runId))
}

/** The run that `fragment` (any unique part of an id) names among a project's. Throws `run.none`, `run.ambiguous`. */
export async function findRun(tx: Tx, fragment: string): Promise<RunId> {
  const rows = await tx.all<{ run_id: string }>('SELECT run_id FROM runs WHERE instr(run_id, ?) > 0 ORDER BY rowid DESC LIMIT 20', fragment)
  const exact = rows.find((row) => row.run_id === fragment)
  if (rows.length === 0) throw new VpError('run.none', `there is no run ${fragment}`, { next: ['vp status'] })
  if (rows.length > 1 && !exact)
    throw new VpError('run.ambiguous', `${fragment} fits ${rows.length} runs`, {
      next: rows.slice(0, 3).map((row) => `vp status ${row.run_id}`),
    })
  return (exact ?? rows[0])?.run_id as RunId
}

/**
 * The last of some runs, rehearsals and replays left out. Last is what was written last: a clock that was set back makes
 * times lie, rows are never removed, so their rowid rises with each.
 */
const LAST_OF_RUNS = "runs.kind IN ('baseline', 'hotfix') ORDER BY runs.rowid DESC LIMIT 1"

/** The last run of a project. */
export async function latestRun(tx: Tx, projectId: number): Promise<RunState | null> {
  return stateIn(await tx.get<RunRow>(`SELECT run_id, events, summary FROM runs WHERE project_id = ? AND ${LAST_OF_RUNS}`, projectId))
}

/** The last run of the checkout at `root`, of `vp do` too. */
export async function latestHere(tx: Tx, root: string): Promise<RunState | null> {
  return stateIn(
    await tx.get<RunRow>(`SELECT run_id, events, summary FROM runs JOIN projects ON projects.id = project_id WHERE root = ? AND ${LAST_OF_RUNS}`, root),
  )
}

function stateIn(row: RunRow | undefined): RunState | null {
  return row ? (JSON.parse(row.summary) as RunState) : null
}
