/** Who is next: lanes have room or not, the urgent first, then the share of the project, then the order of the plan. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunId, TaskId } from '../../../core/ids.ts'
import type { JobCard } from '../../contract/types.ts'
import { LANE_CAPS, nextTask, type Load } from './fairness.ts'
import { fold } from './reduce.ts'
import type { RunEvent, RunState } from './state.ts'

const RUN = 'r-2026-11-24-040000-aaaa' as RunId

function stateOf(cards: readonly Partial<JobCard>[]): RunState {
  const whole = cards.map((change, index): JobCard => ({
    task_id: `task-${index + 1}` as TaskId,
    project_id: 1,
    run_id: RUN,
    lane: 'Data-Schema',
    priority: 0.5,
    deps: [],
    budget_usd: 1,
    ci_width_hint: 0.3,
    created_at: 0,
    payload: { n: index + 1, goal: 'g', files: [], tests: [], complexity: 'simple' },
    ...change,
  }))
  const events: RunEvent[] = [
    {
      ts: 0,
      type: 'run_created',
      run_id: RUN,
      project_id: 1,
      kind: 'baseline',
      plan_version: 1,
      expect_tasks: cards.length,
      max_attempts: 3,
      base: 'c0',
      caps: { micro_usd: null, tokens: null, breach: 'pause' },
    },
    ...whole.map((card): RunEvent => ({ ts: 0, type: 'card_submitted', card })),
    { ts: 0, type: 'run_started' },
  ]
  return fold(events) as RunState
}

const free: Load = { lanes: {}, project: 0, all: 0 }
const other = { lane: 'Narrative' } as const
const cap = LANE_CAPS['Data-Schema'] ?? 0
const cases: [title: string, cards: readonly Partial<JobCard>[], load: Load, want: string | null][] = [
  ['the first of the plan, where nothing tells them apart', [{}, {}], free, 'task-1'],
  ['the higher priority', [{}, { priority: 0.6 }], free, 'task-2'],
  ['the one whose time runs out', [{}, { deadline_at: 1 }], free, 'task-2'],
  ['a dependency before what waits for it', [{ deps: ['task-2' as TaskId], priority: 1 }, {}], free, 'task-2'],
  ['a lane with room for one more', [{}], { ...free, lanes: { 'Data-Schema': cap - 1 } }, 'task-1'],
  ['a full lane gives way to another', [{ priority: 1 }, other], { ...free, lanes: { 'Data-Schema': cap } }, 'task-2'],
  ['every lane is full', [{}], { ...free, lanes: { 'Data-Schema': cap } }, null],
  ['a lane that the repository made narrower', [{}], { ...free, lanes: { 'Data-Schema': 1 }, maxParallel: { 'Data-Schema': 1 } }, null],
  ['no repository makes a lane wider', [{}], { ...free, lanes: { 'Data-Schema': cap }, maxParallel: { 'Data-Schema': 99 } }, null],
]
for (const [title, cards, load, want] of cases) test(`next: ${title}`, () => assert.equal(nextTask(stateOf(cards), load, 1, null), want))

test('next: nothing while the run is paused', () => assert.equal(nextTask({ ...stateOf([{}]), status: 'paused' }, free, 1, null), null))
