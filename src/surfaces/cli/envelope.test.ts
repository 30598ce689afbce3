/** The one document of `--json`: ok and exit never contradict each other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VpError } from '../../core/errors.ts'
import { errorScreen } from './error.ts'
import { envelopeLine, failureEnvelope, successEnvelope, type EnvelopeOutcome } from './envelope.ts'

const cases: [title: string, outcome: EnvelopeOutcome, code: string | undefined][] = [
  ['a result', { result: { a: 1 } }, undefined],
  ['a result with a gate that failed', { result: {}, exit: 3 }, 'gate.failed'],
  ['a question that is open', { result: {}, exit: 5 }, 'approval.needed'],
  ['a budget that is reached', { result: {}, exit: 6 }, 'budget.cap'],
  ['what was interrupted', { result: {}, exit: 130 }, 'cancelled'],
  ['its own words before the general ones', { result: {}, exit: 7, error: new VpError('workspace.moved', 'x') }, 'workspace.moved'],
  ['an exit that nobody planned', { result: {}, exit: 99 }, 'internal'],
]
for (const [title, outcome, code] of cases)
  test(`envelope: ${title}`, () => {
    const { ok, error, result } = successEnvelope('vp x', outcome)
    assert.deepEqual([ok, error?.code, result], [code === undefined, code, outcome.result])
  })

test('envelope: a failure keeps what is known all the same, and is one line', () => {
  const failed = failureEnvelope('vp x', new VpError('patch.stale', 'two\nlines', { next: ['vp fs read a, then vp fs patch'] }), {
    result: { files: 2 },
    receipt: 'r_1',
  })
  assert.deepEqual([failed.ok, failed.error?.retryable, failed.result, failed.receipt], [false, true, { files: 2 }, 'r_1'])
  assert.deepEqual(failed.error?.next, [
    ['vp', 'fs', 'read', 'a'],
    ['vp', 'fs', 'patch'],
  ])
  assert.equal(envelopeLine(failed).split('\n').length, 2)
})

test('the nearest lines of a rejected patch are lines, and no other message makes any', () => {
  const message = 'not found. The nearest lines are:\n  1| one\x1b[31m\nCopy them.'
  const shown = (code: 'patch.rejected' | 'usage.flag', text: string) => errorScreen(new VpError(code, text)).stderr
  const [lines, single] = [shown('patch.rejected', message), shown('patch.rejected', 'x')]
  assert.equal(lines.length, single.length + 2)
  assert.match(lines[1] ?? '', / {2}1\| one/)
  assert.ok(!lines.join('').includes('\x1b[31m'))
  assert.equal(shown('usage.flag', message).length, shown('usage.flag', 'x').length)
})
