/**
 * What people say to a run while it works (`vp tell`): events of the run, heard by each attempt at its next turn. Which turn
 * that was is an event as well, so that a resumed attempt and a replay hear the same words at the same turn.
 */
import type { RunId, TaskId } from '../../core/ids.ts'
import type { RunEvent } from '../../pas/embedded/reducer/state.ts'
import { appendEvents } from '../../pas/embedded/run-store.ts'
import type { Kit } from '../kit.ts'

export interface Said {
  /** The how many-th of the run, from 1. */
  readonly n: number
  readonly text: string
}

type Told = Extract<RunEvent, { type: 'told' }>
type Heard = Extract<RunEvent, { type: 'heard' }>

export interface Attempt {
  readonly run_id: RunId
  readonly task_id: TaskId
  readonly attempt: number
  /** `T3` */
  readonly label: string
}

/** Words of the run's events, and which of them each turn of an attempt heard. */
export function openEars({ task_id, attempt }: Pick<Attempt, 'task_id' | 'attempt'>): {
  take(events: readonly RunEvent[]): void
  at(turn: number): readonly Said[]
  /** For this task, and not heard by this attempt yet. */
  unheard(): readonly Said[]
} {
  const told: Told[] = []
  const heard = new Map<number, readonly number[]>()
  const said = (n: number): Said[] => (told[n - 1] ? [{ n, text: told[n - 1]?.text ?? '' }] : [])
  return {
    take(events) {
      for (const event of events)
        if (event.type === 'told') told.push(event)
        else if (isOurs(event)) heard.set(event.turn, event.told)
    },
    at: (turn) => (heard.get(turn) ?? []).flatMap(said),
    unheard() {
      const known = new Set([...heard.values()].flat())
      return told.flatMap((one, index) => (known.has(index + 1) || (one.task_id !== null && one.task_id !== task_id) ? [] : said(index + 1)))
    },
  }
  function isOurs(event: RunEvent): event is Heard & { ts: number } {
    return event.type === 'heard' && event.task_id === task_id && event.attempt === attempt
  }
}

/** For a live attempt. Turns that are answered already hear what they heard then, and nothing new. */
export function listen(kit: Kit, attempt: Attempt): (turn: number) => Promise<readonly Said[]> {
  const ears = openEars(attempt)
  let read = 0
  const { run_id, task_id, label } = attempt
  return async (turn) => {
    const rows = await kit.store.read((tx) =>
      tx.all<{ n: number; body: string }>("SELECT n, body FROM run_events WHERE run_id = ? AND n > ? AND type IN ('told', 'heard') ORDER BY n", run_id, read),
    )
    if (rows.length > 0) ears.take(rows.map(({ body }) => JSON.parse(body) as RunEvent))
    read = rows.at(-1)?.n ?? read
    const before = ears.at(turn)
    const fresh = ears.unheard()
    if (before.length > 0 || fresh.length === 0 || turn <= (await answeredTurns(kit, run_id, label, attempt.attempt))) return before
    await kit.store.transaction((tx) =>
      appendEvents(tx, kit.clock.now(), run_id, [{ type: 'heard', task_id, attempt: attempt.attempt, turn, told: fresh.map(({ n }) => n) }]),
    )
    return fresh
  }
}

async function answeredTurns(kit: Kit, runId: string, task: string, attempt: number): Promise<number> {
  const row = await kit.store.read((tx) =>
    tx.get<{ turn: number | null }>(
      "SELECT MAX(turn) AS turn FROM exchanges WHERE run_id = ? AND task = ? AND attempt = ? AND response <> 'null'",
      runId,
      task,
      attempt,
    ),
  )
  return row?.turn ?? 0
}
