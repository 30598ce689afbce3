/** Four ways to go round in circles, each told by its name; and what looks like one and is none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ErrorCode } from '../core/errors.ts'
import type { Result } from './context/story.ts'
import { openProgress, type Circle } from './progress.ts'

const result = (name: string, text: string, code: ErrorCode | null = null, args: object = {}): Result => ({
  kind: 'result',
  turn: 1,
  index: 1,
  call: { id: 'c', name, arguments: args as never },
  text,
  code,
})
const CHANGE = result('edit', 'a.ts: changed at line 1')
const red = (name: string) => result('test', `1 passed, 1 failed\nFAILED ${name} (a.test.ts:3)`)
const times = <One>(n: number, make: (at: number) => readonly One[]): One[] => Array.from({ length: n }, (_, at) => make(at)).flat()

const ROWS: [title: string, results: Result[], loop: Circle['loop'] | null][] = [
  ['eight refusals in a row', times(8, () => [result('edit', 'x', 'patch.rejected')]), 'failing_calls'],
  [
    'seven refusals, one that works, seven more',
    [...times(7, () => [result('edit', 'x', 'patch.rejected')]), CHANGE, ...times(7, () => [result('edit', 'x', 'patch.rejected')])],
    null,
  ],
  ['six changes that leave the same test red', times(6, () => [CHANGE, red('adds')]), 'same_failure'],
  ['six changes that each leave another test red', times(6, (at) => [CHANGE, red(`adds ${at}`)]), null],
  ['the same red test measured often, and nothing changed between', [CHANGE, ...times(9, () => [red('adds')])], null],
  ['runs of some tests only', times(9, () => [CHANGE, result('test', '0 passed, 1 failed\nFAILED x', null, { args: ['x'] })]), null],
  ['green each time', times(9, () => [CHANGE, result('test', '2 passed, 0 failed')]), null],
]
for (const [title, results, loop] of ROWS)
  test(`progress: ${title}`, () => {
    const progress = openProgress()
    const found = results.map((one) => progress.result(one)).find((one) => one !== null)
    assert.equal(found?.loop ?? null, loop)
    if (loop === 'same_failure') assert.match(found?.words ?? '', /adds \(a\.test\.ts:3\)/)
  })

test('progress: the same call a third time in the same world, but not in another, nor after the conversation was built anew', () => {
  const progress = openProgress()
  const call = { id: 'c', name: 'read', arguments: { path: 'a', from: 1 } }
  const again = { id: 'd', name: 'read', arguments: { from: 1, path: 'a' } }
  assert.deepEqual([progress.call(call, '1'), progress.call(again, '1'), progress.call(call, '2')], [null, null, null])
  assert.equal(progress.call(again, '1')?.loop, 'same_call')
  progress.forget()
  assert.equal(progress.call(call, '1'), null)
})

test('progress: three answers without a call, and none where one calls between', () => {
  const progress = openProgress()
  assert.deepEqual([progress.silent(), progress.silent()], [null, null])
  progress.call({ id: 'c', name: 'list', arguments: {} }, '')
  assert.deepEqual([progress.silent(), progress.silent()], [null, null])
  assert.equal(progress.silent()?.loop, 'silent')
})

test('progress: two calls in turn, forgotten with each new conversation, stop at last; in a world that changes they do not', () => {
  const ends = (world: (at: number) => string) => {
    const progress = openProgress()
    for (let at = 1; at <= 40; at++) {
      const circle = progress.call({ id: 'c', name: 'read', arguments: { path: at % 2 === 0 ? 'a' : 'b' } }, world(at))
      if (circle) return [at, circle.loop]
      if (at % 3 === 0) progress.forget()
    }
    return null
  }
  assert.deepEqual(
    ends(() => '1'),
    [15, 'same_call'],
  )
  assert.equal(ends(String), null)
})
