/** What a watcher is told of a run it does not see every moment of. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import { lookFrom } from './style.ts'
import { feedbackLines, watchRun } from './watch.ts'

/** Event lines of a piped watcher that saw one task in these states, `[status, attempt, reason]`, one after the other. */
function toldOf(seen: readonly (readonly [status: string, attempt: number, reason: string | null])[]): string[] {
  let told = ''
  const context = {
    json: false,
    looks: lookFrom({ LANG: 'C.UTF-8' }, { stdout: {}, stderr: {} }),
    ports: { clock: { now: () => 0, monotonic: () => 0 } },
    caller: {},
    streams: { stdin: { off: () => undefined } },
    writeErr: (text: string) => void (told += text),
  }
  const watch = watchRun(context as never)
  for (const [status, attempt, reason] of seen) {
    const card = { lane: 'Code-Impl', payload: { n: 4, goal: 'route' } }
    const task = { task_id: 't', card, status, attempt, reason, feedback: reason && 'mend it', kpis: [], micro_usd: 0, lines: null, started_at: 0, ended_at: 0 }
    const state = { run_id: 'r-2026-11-24-070000-9c1f', order: ['t'], tasks: { t: task }, max_attempts: 3, micro_usd: 0, price_unknown: false }
    watch.live.watcher.onState(state as unknown as RunState)
  }
  watch.end()
  return [...told.matchAll(/ T4 (\w+)(?:.* attempt=(\S+))?/g)].map((match) => [match[1], match[2]].filter(Boolean).join(' '))
}

const cases: [title: string, seen: Parameters<typeof toldOf>[0], want: string[]][] = [
  [
    'a failed attempt that is seen as such is told once',
    [
      ['queued', 0, null],
      ['running', 1, null],
      ['queued', 1, 'linter_pass failed'],
      ['running', 2, 'linter_pass failed'],
      ['succeeded', 2, 'linter_pass failed'],
    ],
    ['start 1', 'again 2/3', 'start 2', 'done'],
  ],
  [
    'a failed attempt whose follower has begun already is told all the same',
    [
      ['queued', 0, null],
      ['running', 1, null],
      ['running', 2, 'linter_pass failed'],
    ],
    ['start 1', 'again 2/3', 'start 2'],
  ],
  [
    'the same attempt again, after a lost lease, did not fail',
    [
      ['queued', 0, null],
      ['running', 1, null],
      ['queued', 0, null],
      ['running', 1, null],
    ],
    ['start 1', 'start 1'],
  ],
  [
    'a task behind a failed one is skipped, it did not fail',
    [
      ['queued', 0, null],
      ['skipped', 0, 'a task it depends on failed'],
    ],
    ['skipped'],
  ],
]
for (const [title, seen, want] of cases) test(title, () => assert.deepEqual(toldOf(seen), want))

test('a reason is not said twice, what it leaves out is', () => {
  const reason = 'the model called no tool three times in a row'
  assert.deepEqual(feedbackLines({ reason, feedback: `It ended without submit: ${reason}.` }), [])
  assert.deepEqual(feedbackLines({ reason, feedback: null }), [])
  assert.deepEqual(feedbackLines({ reason: 'test deleted: a', feedback: '- test deleted: a (a.test.js:1)\n1 failed\n' }), [
    '- test deleted: a (a.test.js:1)',
    '1 failed',
  ])
})
