import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunId, TaskId } from '../../../core/ids.ts'
import { FINAL_RUN, FINAL_TASK, type JobCard } from '../../contract/types.ts'
import { nextTask } from './fairness.ts'
import { fold, reduce } from './reduce.ts'
import { openViolations } from './gates.ts'
import { groundOf, openRepair } from './repair.ts'
import type { RunEvent, RunState, TaskState } from './state.ts'

const RUN = 'r-2026-11-24-040000-aaaa' as RunId
const tid = (n: number) => `task-${String(n).padStart(8, '0')}` as TaskId

function card(n: number, deps: number[] = []): JobCard {
  return {
    task_id: tid(n),
    project_id: 1,
    run_id: RUN,
    lane: 'Code-Impl',
    priority: 0.5,
    deps: deps.map(tid),
    budget_usd: 1,
    ci_width_hint: 0.3,
    created_at: 0,
    payload: { n, goal: `task ${n}`, files: [], tests: [], complexity: 'simple' },
  }
}

function created(tasks: number, caps: Partial<RunState['caps']> = {}): RunEvent {
  return {
    ts: 0,
    type: 'run_created',
    run_id: RUN,
    project_id: 1,
    kind: 'baseline',
    plan_version: 1,
    expect_tasks: tasks,
    max_attempts: 3,
    base: 'c0',
    caps: { micro_usd: null, tokens: null, breach: 'pause', ...caps },
  }
}

function begin(cards: JobCard[], caps: Partial<RunState['caps']> = {}): RunEvent[] {
  return [created(cards.length, caps), ...cards.map((one): RunEvent => ({ ts: 1, type: 'card_submitted', card: one })), { ts: 2, type: 'run_started' }]
}

const claim = (n: number, attempt = 1): RunEvent => ({
  ts: 3,
  type: 'task_claimed',
  task_id: tid(n),
  attempt,
  worker: 'w',
})
const lines = { add: 1, del: 0, files: 1 }
const intend = (n: number, from: string, to: string, attempt = 1): RunEvent => ({
  ts: 4,
  type: 'merge_intended',
  task_id: tid(n),
  attempt,
  from,
  to,
  base: 'c0',
  tree: 't',
  kpis: [],
  lines,
})
const merged = (n: number): RunEvent => ({ ts: 5, type: 'task_merged', task_id: tid(n) })
const failedAttempt = (n: number, attempt: number, why: 'gate' | 'fatal' = 'gate'): RunEvent => ({
  ts: 6,
  type: 'attempt_failed',
  task_id: tid(n),
  attempt,
  why,
  reason: 'linter_pass failed',
  feedback: 'fix it',
  carry_tree: null,
  carry_base: null,
  kpis: [],
  violations: [],
})

function run(events: RunEvent[]): RunState {
  const state = fold(events)
  assert.ok(state)
  return state
}

test('a chain runs in order and ends validating, then completed', () => {
  const events = begin([card(1), card(2, [1])])
  assert.equal(run(events).status, 'executing')
  assert.equal(nextTask(run(events), { lanes: {}, project: 0, all: 0 }, 0, null), tid(1))
  events.push(claim(1), intend(1, 'c0', 'c1'), merged(1))
  assert.equal(nextTask(run(events), { lanes: {}, project: 0, all: 0 }, 0, null), tid(2))
  events.push(claim(2), intend(2, 'c1', 'c2'), merged(2))
  assert.equal(run(events).status, 'validating')
  assert.equal(run(events).head, 'c2')
  events.push({ ts: 9, type: 'validated', violations: [] })
  assert.equal(run(events).status, 'completed')
})

test('a task waits for all of its dependencies', () => {
  const events = [...begin([card(1), card(2), card(3, [1, 2])]), claim(1), claim(2), intend(1, 'c0', 'c1'), merged(1)]
  assert.equal(nextTask(run(events), { lanes: {}, project: 0, all: 0 }, 0, null), null)
  assert.equal(run([...events, claim(3)]).tasks[tid(3)]?.status, 'queued')
  events.push(intend(2, 'c1', 'c2'), merged(2))
  assert.equal(nextTask(run(events), { lanes: {}, project: 0, all: 0 }, 0, null), tid(3))
})

test('a failed gate is tried again, three times at most; dependants of a lost task are skipped', () => {
  const events = begin([card(1), card(2, [1]), card(3)])
  events.push(claim(1), failedAttempt(1, 1))
  assert.equal(run(events).tasks[tid(1)]?.status, 'queued')
  events.push(claim(1, 2), failedAttempt(1, 2), claim(1, 3), failedAttempt(1, 3))
  const state = run(events)
  assert.deepEqual([state.tasks[tid(1)]?.status, state.tasks[tid(2)]?.status, state.tasks[tid(3)]?.status], ['failed', 'skipped', 'queued'])
})

test('a lost lease repeats the same attempt, and its late result changes nothing', () => {
  const events = [...begin([card(1)]), claim(1), { ts: 4, type: 'lease_lost', task_id: tid(1), attempt: 1 } as RunEvent]
  assert.deepEqual([run(events).tasks[tid(1)]?.status, run(events).tasks[tid(1)]?.attempt], ['queued', 0])
  const before = run([...events, claim(1, 1), failedAttempt(1, 1)])
  assert.deepEqual(run([...events, claim(1, 1), failedAttempt(1, 1), failedAttempt(1, 1)]), before)
})

test('one merge at a time, from the present head only', () => {
  const events = [...begin([card(1), card(2)]), claim(1), claim(2), intend(1, 'c0', 'c1')]
  assert.equal(run([...events, intend(2, 'c0', 'cX')]).merging?.task_id, tid(1))
  assert.equal(run([...events, intend(2, 'c0', 'cX')]).tasks[tid(2)]?.status, 'running')
  assert.equal(run([...events, merged(1), intend(2, 'c0', 'cX')]).merging, null)
})

test('a cycle fails before anything is dispatched', () => {
  const state = run(begin([card(1, [2]), card(2, [1])]))
  assert.deepEqual([state.status, state.reason], ['failed', 'plan.cycle'])
})

test('the budget guard pauses once; a raised cap resumes; kill terminates', () => {
  const spent: RunEvent = {
    ts: 7,
    type: 'spent',
    task_id: tid(1),
    micro_usd: 900_000,
    tokens: { in: 10, out: 1, think: 0, tool_use: 0 },
  }
  const events = [...begin([card(1), card(2)], { micro_usd: 1_000_000 }), claim(1), spent, intend(1, 'c0', 'c1'), merged(1)]
  assert.deepEqual([run(events).status, run(events).reason], ['paused', 'budget_guard'])
  const more = run([...events, { ts: 8, type: 'resumed', caps: { micro_usd: 5_000_000, tokens: null, breach: 'pause' } }])
  assert.equal(more.status, 'executing')
  const kill = [...begin([card(1), card(2)], { micro_usd: 1_000_000, breach: 'kill' as const }), claim(1), spent, intend(1, 'c0', 'c1'), merged(1)]
  assert.equal(run(kill).status, 'terminated')
})

test('property: any order of events keeps the promises of a run', () => {
  let seed = 11
  const next = (limit: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % limit
  for (let round = 0; round < 300; round++) {
    const count = 2 + next(6)
    const cards = Array.from({ length: count }, (_, index) => card(index + 1, index > 0 && next(2) ? [1 + next(index)] : []))
    let state: RunState | null = null
    const log: RunEvent[] = []
    const push = (event: RunEvent) => {
      const before = state as RunState | null
      const reduced = reduce(before, event)
      log.push(event)
      state = reduced.state
      if (!before) return
      for (const id of before.order) {
        const was: TaskState | undefined = before.tasks[id]
        const now = reduced.state.tasks[id]
        if (was && FINAL_TASK.has(was.status)) assert.equal(now?.status, was.status, 'a task left its end')
        if (now?.status === 'running' && was?.status === 'queued')
          assert.ok(
            now.card.deps.every((dep: string) => before.tasks[dep]?.status === 'succeeded'),
            'a task began before its dependencies',
          )
      }
      if (FINAL_RUN.has(before.status)) assert.equal(reduced.state, before, 'a run left its end')
    }
    for (const event of begin(cards, next(2) ? { micro_usd: 500_000 } : {})) push(event)
    for (let step = 0; step < 60; step++) {
      const now = state as unknown as RunState
      const n = 1 + next(count)
      const attempt = Math.max(1, (now.tasks[tid(n)]?.attempt ?? 0) + next(2))
      const ready = nextTask(now, { lanes: {}, project: 0, all: 0 }, 0, null)
      const choices: RunEvent[] = [
        ready
          ? {
              ts: step,
              type: 'task_claimed',
              task_id: ready,
              attempt: (now.tasks[ready]?.attempt ?? 0) + 1,
              worker: 'w',
            }
          : { ts: step, type: 'paused', reason: 'x' },
        { ts: step, type: 'lease_lost', task_id: tid(n), attempt },
        failedAttempt(n, attempt, next(9) === 0 ? 'fatal' : 'gate'),
        intend(n, now.head, `c${round}-${step}`, attempt),
        merged(n),
        { ts: step, type: 'resumed' },
        {
          ts: step,
          type: 'spent',
          task_id: tid(n),
          micro_usd: next(30_000),
          tokens: { in: 5, out: 5, think: 0, tool_use: 0 },
        },
        { ts: step, type: 'merge_dropped', task_id: tid(n) },
        { ts: step, type: 'validated', violations: [] },
      ]
      const chosen = choices[next(choices.length)]
      if (chosen) push(chosen)
    }
    assert.deepEqual(fold(log), state, 'folding the log gives the state')
    const end = state as unknown as RunState
    const merges = log.filter((event) => event.type === 'task_merged').length
    assert.ok(end.order.filter((id) => end.tasks[id]?.status === 'succeeded').length <= merges)
  }
})

const done = (): RunEvent[] => [...begin([card(1)]), claim(1), intend(1, 'c0', 'c1'), merged(1), { ts: 9, type: 'validated', violations: [] }]
const repair = (n: number, person: string): RunEvent => {
  const one = card(n, [1])
  const merge = { run: 'c1', person, base: 'c0', branch: 'main', paths: ['a.ts'], words: [] }
  return { ts: 10, type: 'repair_added', card: { ...one, payload: { ...one.payload, merge } } }
}

test('a run that is done is open again for a repair, stands on what that brought in, and is validated anew', () => {
  const open = run([...done(), repair(2, 'p1')])
  assert.deepEqual([open.status, open.expect_tasks, open.ended_at, groundOf(open)], ['executing', 2, null, 'c0'])
  assert.equal(openRepair(open)?.task_id, tid(2))
  assert.equal(nextTask(open, { lanes: {}, project: 0, all: 0 }, 0, null), tid(2))
  const repaired = run([...done(), repair(2, 'p1'), claim(2), intend(2, 'c1', 'c2'), merged(2)])
  assert.deepEqual([repaired.status, repaired.head, groundOf(repaired), openRepair(repaired)], ['validating', 'c2', 'p1', null])
})

test('a repair is for what is done, once at a time; within the caps it stays', () => {
  const ended: RunEvent[] = [...done().slice(0, -1), { ts: 9, type: 'validated', violations: [{ kind: 'test deleted', name: 't', task_id: null }] }]
  for (const events of [begin([card(1)]), ended, [...begin([card(1)]), { ts: 3, type: 'terminated', reason: 'x' } as RunEvent]])
    assert.deepEqual(run([...events, repair(2, 'p1')]), run(events))
  assert.deepEqual(run([...done(), repair(2, 'p1'), repair(3, 'p2')]), run([...done(), repair(2, 'p1')]))
  assert.deepEqual(run([...done(), repair(2, 'p1')]).caps, run(done()).caps)
})

test('a repair that a person made themselves is dropped, queued or failed, and the run is done as before', () => {
  const drop: RunEvent = { ts: 20, type: 'repair_dropped', task_id: tid(2) }
  const open = [...done(), repair(2, 'p1')]
  const unable: RunEvent[] = [...open, claim(2), failedAttempt(2, 1, 'fatal')]
  const failed: RunEvent[] = [...unable, { ts: 9, type: 'validated', violations: [{ kind: 'task failed', name: 'x', task_id: tid(2) }] }]
  assert.equal(run(failed).status, 'needs_review')
  for (const events of [open, failed]) {
    const { status, tasks, head } = run([...events, drop])
    assert.deepEqual([status, tasks[tid(2)]?.status, head], ['completed', 'skipped', 'c1'])
    assert.deepEqual(openViolations(run([...events, drop])), [])
    assert.equal(run([...events, drop, repair(3, 'p2')]).status, 'executing', 'and may be opened anew')
  }
  for (const events of [done(), [...open, claim(2)], [...open, claim(2), intend(2, 'c1', 'c2'), merged(2)]])
    assert.deepEqual(run([...events, drop]), run(events), 'not what is done or under way')
})
