/**
 * reduce(state, event) → state + commands: the whole life of a run as one pure function. Late, doubled and
 * foreign events change nothing.
 */
import type { TaskId } from '../../../core/ids.ts'
import { FINAL_RUN, FINAL_TASK } from '../../contract/types.ts'
import { guardRun } from './budget.ts'
import { doomed, isReleased } from './fairness.ts'
import { idleRepair } from './repair.ts'
import { advance, graphFault, newRun, reduceRun } from './run.ts'
import type { Reduced, RunCommand, RunEvent, RunState, TaskState } from './state.ts'
import { newTask, reduceTask } from './task.ts'

/** `state` is null only for `run_created`; any other first event is a defect of the caller and throws. */
export function reduce(state: RunState | null, event: RunEvent): Reduced {
  if (state === null) {
    if (event.type !== 'run_created') throw new TypeError(`a run cannot begin with ${event.type}`)
    return { state: newRun(event), commands: [] }
  }
  if (event.type === 'repair_added') return reopen(state, event)
  if (event.type === 'repair_dropped') return closeAgain(state, event)
  if (event.type === 'run_created' || FINAL_RUN.has(state.status)) return { state, commands: [] }
  if (event.type === 'card_submitted') return settle(state, addCard(state, event.card), event.ts)
  return settle(state, reduceRun(reduceTasks(state, event), event), event.ts)
}

export function fold(events: Iterable<RunEvent>): RunState | null {
  let state: RunState | null = null
  for (const event of events) state = reduce(state, event).state
  return state
}

function addCard(state: RunState, card: TaskState['card']): RunState {
  if (state.tasks[card.task_id]) return state
  return { ...state, tasks: { ...state.tasks, [card.task_id]: newTask(card) }, order: [...state.order, card.task_id] }
}

/** Only a run that is done and proved can be brought home, so only such a one is in need of repair. */
function reopen(state: RunState, event: Extract<RunEvent, { type: 'repair_added' }>): Reduced {
  if (state.status !== 'completed' || state.tasks[event.card.task_id]) return { state, commands: [] }
  const open = addCard(state, event.card)
  return settle(state, { ...open, status: 'executing', reason: null, ended_at: null, expect_tasks: open.order.length }, event.ts)
}

/** As it was before the repair: what was validated then is the head still. */
function closeAgain(state: RunState, event: Extract<RunEvent, { type: 'repair_dropped' }>): Reduced {
  if (idleRepair(state)?.task_id !== event.task_id) return { state, commands: [] }
  const task = state.tasks[event.task_id] as TaskState
  const dropped: TaskState = { ...task, status: 'skipped', reason: 'resolved by hand', kpis: [], violations: [], ended_at: event.ts }
  return settle(state, { ...state, tasks: { ...state.tasks, [event.task_id]: dropped }, status: 'completed', reason: null, ended_at: event.ts }, event.ts)
}

function reduceTasks(state: RunState, event: RunEvent): RunState {
  if (event.type === 'merge_intended' && (state.merging !== null || state.head !== event.from)) return state
  if (event.type === 'task_claimed' && !mayClaim(state, event.task_id, event.attempt)) return state
  const touched: TaskId[] = 'task_id' in event && event.task_id !== null ? [event.task_id] : event.type === 'approval_decided' ? [...state.order] : []
  let tasks = state.tasks
  for (const id of touched) {
    const task = tasks[id]
    if (!task) continue
    const next = reduceTask(task, event, state.max_attempts)
    if (next !== task) tasks = { ...tasks, [id]: next }
  }
  return tasks === state.tasks ? state : { ...state, tasks }
}

function mayClaim(state: RunState, id: TaskId, attempt: number): boolean {
  const task = state.tasks[id]
  return state.status === 'executing' && task !== undefined && isReleased(state, task) && attempt === task.attempt + 1
}

/** Consequences: doomed tasks are skipped, the run moves on, the guard looks, commands name what is new. */
function settle(before: RunState, after: RunState, ts: number): Reduced {
  let state = after
  for (const id of doomed(state)) {
    const task = state.tasks[id]
    if (task)
      state = {
        ...state,
        tasks: {
          ...state.tasks,
          [id]: { ...task, status: 'skipped', reason: 'a task it depends on failed', ended_at: ts },
        },
      }
  }
  state = failUnsound(advance(state), ts)
  if (state.status === 'executing') {
    const breach = guardRun(state)
    if (breach === 'terminate') state = { ...state, status: 'terminated', reason: 'budget_guard', ended_at: ts }
    else if (breach === 'pause' && guardRun(before) === null) state = { ...state, status: 'paused', reason: 'budget_guard' }
  }
  return { state, commands: commandsBetween(before, state) }
}

function failUnsound(state: RunState, ts: number): RunState {
  if (state.status !== 'executing' || state.order.some((id) => state.tasks[id]?.attempt !== 0)) return state
  const fault = graphFault(state)
  return fault ? { ...state, status: 'failed', reason: fault.kind === 'cycle' ? 'plan.cycle' : 'unknown dependency', ended_at: ts } : state
}

function commandsBetween(before: RunState, after: RunState): RunCommand[] {
  const commands: RunCommand[] = []
  const wasOpen = before.status === 'executing'
  for (const id of after.order) {
    const now = after.tasks[id]
    if (!now) continue
    const was = before.tasks[id]
    const released = after.status === 'executing' && now.status === 'queued' && isReleased(after, now)
    const wasReleased = wasOpen && was?.status === 'queued' && isReleased(before, was)
    if (released && !wasReleased) commands.push({ kind: 'release', task_id: id })
    if (after.status === 'terminated' && before.status !== 'terminated' && !FINAL_TASK.has(now.status) && now.status !== 'queued')
      commands.push({ kind: 'cancel', task_id: id })
  }
  if (after.status !== before.status) {
    if (after.status === 'validating') commands.push({ kind: 'validate' })
    if (after.status === 'paused') commands.push({ kind: 'notify', what: 'paused', reason: after.reason ?? '' })
    if (FINAL_RUN.has(after.status)) commands.push({ kind: 'notify', what: 'ended', reason: after.reason ?? after.status })
  }
  return commands
}
