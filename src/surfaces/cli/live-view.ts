/** From a run's state to the live view, for who drives the run and for who looks on from another terminal. Pure. */
import { runwayMinutes } from '../../pas/embedded/reducer/budget.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import type { LiveRow, LiveView } from './screens/live.ts'

export interface RowWords {
  readonly doing: string
  readonly note: string
  /** A person is asked. */
  readonly waits: boolean
}

export interface LiveFacts {
  readonly project: string
  /** Shortest unique form. */
  readonly run: string
  readonly backend: string
  /** ms since the epoch. */
  readonly now: number
  readonly keys: string
  words(task: TaskState): RowWords
}

export function liveViewOf(state: RunState, facts: LiveFacts): LiveView {
  const tasks = state.order.flatMap((id) => state.tasks[id] ?? [])
  const count = (...statuses: string[]) => tasks.filter((task) => statuses.includes(task.status)).length
  const shown = tasks.filter((task) => ['running', 'merging', 'waiting_io'].includes(task.status))
  const rows = shown.map((task) => rowOf(state, task, facts))
  const done = count('succeeded')
  const waiting = rows.filter((row) => row.state === 'waits').length
  const elapsed = (state.ended_at ?? facts.now) - (state.started_at ?? state.created_at)
  const runway = runwayMinutes(state, facts.now)
  return {
    project: facts.project,
    run: facts.run,
    elapsed_ms: elapsed,
    backend: facts.backend,
    total: tasks.length,
    counts: { done, running: rows.length - waiting, waiting, queued: count('queued'), failed: count('failed'), skipped: count('skipped') },
    cost_usd: state.price_unknown ? null : state.micro_usd / 1e6,
    budget_usd: state.caps.micro_usd === null ? null : state.caps.micro_usd / 1e6,
    runway_ms: runway === null ? null : runway * 60_000,
    left_ms: done > 0 && done < tasks.length ? (elapsed / done) * (tasks.length - done) : null,
    rows,
    queue: tasks
      .filter((task) => task.status === 'queued')
      .map((task) => ({
        n: task.card.payload.n,
        after: task.card.deps.flatMap((dep) => (state.tasks[dep]?.status === 'succeeded' ? [] : (state.tasks[dep]?.card.payload.n ?? []))),
      })),
    keys: facts.keys,
  }
}

function rowOf(state: RunState, task: TaskState, facts: LiveFacts): LiveRow {
  const words = facts.words(task)
  const waits = words.waits || task.status === 'waiting_io'
  return {
    n: task.card.payload.n,
    lane: task.card.lane.replace(/^Code-/, ''),
    state: waits ? 'waits' : task.attempt > 1 ? 'again' : 'runs',
    doing: task.status === 'merging' ? 'merge onto the run branch' : words.doing,
    note: words.waits ? 'press Enter to look' : task.waits_for !== null ? task.waits_for : words.note,
    cost_usd: state.price_unknown ? null : task.micro_usd / 1e6,
    ms: Math.max(0, facts.now - (task.started_at ?? facts.now)),
  }
}
