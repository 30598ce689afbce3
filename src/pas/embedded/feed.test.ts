import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunId, TaskId } from '../../core/ids.ts'
import { openFeed, type FeedItem } from './feed.ts'
import type { RunEvent } from './reducer/state.ts'

const run_id = 'r-2026-11-24-040000-aaaa' as RunId
const task_id = 'task-00000001' as TaskId
const payload = { n: 1, goal: 'g', files: [], tests: [], complexity: 'simple' } as const
const card = { task_id, project_id: 1, run_id, lane: 'Code-Impl', priority: 0.5, deps: [], payload, budget_usd: 1, ci_width_hint: 0.3, created_at: 0 } as const
const kpi = (kpi_name: string, measured: boolean) => ({ kpi_name, value: measured ? 1 : null, threshold: { min: 0.9 }, pass: measured ? true : null, measured })
const merge = { run: 'c1', person: 'p1', base: 'c0', branch: 'main', paths: ['a'], words: [] }
const caps = { micro_usd: 2_000_000, tokens: null, breach: 'pause' } as const

const LOG: RunEvent[] = [
  { ts: 0, type: 'run_created', run_id, project_id: 1, kind: 'baseline', caps, plan_version: 1, expect_tasks: 1, max_attempts: 3, base: 'c0' },
  { ts: 1, type: 'card_submitted', card },
  { ts: 2, type: 'run_started' },
  { ts: 3, type: 'task_claimed', task_id, attempt: 1, worker: 'w' },
  { ts: 4, type: 'spent', task_id, micro_usd: 500_000, tokens: { in: 2, out: 1, think: 0, tool_use: 0 } },
  { ts: 5, type: 'task_waits', task_id, attempt: 1, approval: 'ap_1' },
  { ts: 6, type: 'approval_decided', approval: 'ap_1', allowed: true },
  { ts: 7, type: 'task_claimed', task_id, attempt: 1, worker: 'w' },
  {
    ts: 8,
    type: 'merge_intended',
    task_id,
    attempt: 1,
    base: 'c0',
    tree: 't',
    from: 'c0',
    to: 'c1',
    kpis: [kpi('test_pass_rate', true), kpi('linter_pass', false)],
    lines: { add: 1, del: 0, files: 1 },
  },
  { ts: 9, type: 'task_merged', task_id },
  { ts: 10, type: 'validated', violations: [] },
  { ts: 11, type: 'task_merged', task_id }, // late: it changes nothing
  { ts: 12, type: 'repair_added', card: { ...card, task_id: 'task-00000002' as TaskId, payload: { ...payload, n: 2, merge } } },
]

const words = ({ type, data }: FeedItem): string =>
  [type, data['n'], data['kpi_name'], data['status'], data['approval'], data['spend_usd']].filter((word) => word !== undefined && word !== null).join(' ')

test('a log is told as what became of the run, once each and in order', () => {
  const feed = openFeed()
  const items = LOG.flatMap((event) => feed.push(event))
  assert.deepEqual(items.map(words), [
    'run pending',
    'task 1 queued',
    'run executing',
    'task 1 running',
    'budget 0.5',
    'task 1 waiting_io ap_1',
    'task 1 queued',
    'task 1 running',
    'task 1 merging',
    'kpi test_pass_rate',
    'run validating',
    'task 1 succeeded',
    'run completed',
    'end completed',
    'run executing',
    'task 2 queued',
  ])
  assert.deepEqual(
    items.map(({ seq }) => seq),
    items.map((_, index) => index + 1),
  )
  assert.equal(feed.state()?.status, 'executing', 'opened again: there is more to come')
})
