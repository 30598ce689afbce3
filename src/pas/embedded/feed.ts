/**
 * A run's life as a client follows it: the events of contracts/hmi.md section 6, derived from the run's own log, so that
 * the same log gives the same items with the same numbers to whoever asks and whenever. `seq` counts from 1. Pure.
 */
import { isoUtc } from '../../core/ports.ts'
import { FINAL_RUN } from '../contract/types.ts'
import { reduce } from './reducer/reduce.ts'
import { openViolations } from './reducer/gates.ts'
import { tokensOf } from './reducer/budget.ts'
import type { RunEvent, RunState } from './reducer/state.ts'

export interface FeedItem {
  readonly seq: number
  readonly type: 'run' | 'task' | 'kpi' | 'budget' | 'end'
  readonly data: Readonly<Record<string, unknown>>
}

export interface Feed {
  /** The items that this event adds; none when it changed nothing that is told. */
  push(event: RunEvent): FeedItem[]
  state(): RunState | null
}

export function openFeed(): Feed {
  let state: RunState | null = null
  let seq = 0
  return {
    push(event) {
      const before = state
      state = reduce(state, event).state
      const now = state
      return now === before
        ? []
        : [...runItems(before, now), ...taskItems(before, now), ...kpiItems(now, event), ...budgetItems(now, event), ...endItems(before, now)].map(
            ({ type, data }) => ({ seq: ++seq, type, data: { t: isoUtc(event.ts), run_id: now.run_id, ...data } }),
          )
    },
    state: () => state,
  }
}

type Item = Pick<FeedItem, 'type' | 'data'>

function runItems(before: RunState | null, { status, reason, order, expect_tasks }: RunState): Item[] {
  if (before?.status === status) return []
  return [{ type: 'run', data: { status, reason, tasks_total: Math.max(order.length, expect_tasks) } }]
}

function taskItems(before: RunState | null, now: RunState): Item[] {
  return now.order.flatMap((id): Item[] => {
    const task = now.tasks[id]
    const was = before?.tasks[id]
    if (!task || (was?.status === task.status && was.attempt === task.attempt)) return []
    const { card, status, attempt, commit, reason, waits_for } = task
    return [{ type: 'task', data: { task_id: id, n: card.payload.n, lane: card.lane, status, attempt, commit, reason, approval: waits_for } }]
  })
}

/** Of an attempt that was measured; what could not be measured is left out. */
function kpiItems(now: RunState, event: RunEvent): Item[] {
  const kpis = 'kpis' in event ? (event.kpis ?? []) : []
  const task_id = 'task_id' in event ? event.task_id : null
  if (task_id !== null && !now.tasks[task_id]) return []
  return kpis
    .filter((kpi) => kpi.measured)
    .map(({ kpi_name, value, threshold, pass }) => ({ type: 'kpi', data: { task_id, kpi_name, value, threshold, pass } }))
}

function budgetItems(now: RunState, event: RunEvent): Item[] {
  if (event.type !== 'spent' && !(event.type === 'resumed' && event.caps)) return []
  const { micro_usd, caps, price_unknown } = now
  const spend_usd = price_unknown ? null : micro_usd / 1e6
  return [{ type: 'budget', data: { spend_usd, budget_usd: caps.micro_usd === null ? null : caps.micro_usd / 1e6, tokens: tokensOf(now) } }]
}

function endItems(before: RunState | null, now: RunState): Item[] {
  if (before?.status === now.status || !FINAL_RUN.has(now.status)) return []
  return [{ type: 'end', data: { status: now.status, reason: now.reason, violations: openViolations(now).length } }]
}
