/** The exit statuses that scripts rely on, and what any thrown value becomes. Source: contracts/vp.md section 1. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asVpError, CODES, isVpError, VpError, type ErrorCode } from './errors.ts'

const exits: [code: ErrorCode, exit: number, isRetryable: boolean][] = [
  ['internal', 1, false],
  ['usage.flag', 2, false],
  ['run.none', 2, false],
  ['gate.failed', 3, false],
  ['ledger.altered', 3, false],
  ['policy.denied', 4, false],
  ['sandbox.unavailable', 4, false],
  ['approval.needed', 5, true],
  ['budget.cap', 6, false],
  ['patch.stale', 7, true],
  ['idempotency.reused', 7, false],
  ['model.unreachable', 8, true],
  ['model.auth', 8, false],
  ['cancelled', 130, true],
]
for (const [code, exit, isRetryable] of exits)
  test(`${code} ends with ${exit}`, () => assert.deepEqual([CODES[code].exit, new VpError(code, 'x').retryable], [exit, isRetryable]))

const thrown: [title: string, value: unknown, code: ErrorCode][] = [
  ['a full disk', Object.assign(new Error('x'), { code: 'ENOSPC' }), 'store.full'],
  ['a full quota', Object.assign(new Error('x'), { code: 'EDQUOT' }), 'store.full'],
  ['an abort', new DOMException('x', 'AbortError'), 'cancelled'],
  ['one of ours from another copy of the file', { [Symbol.for('vp.error')]: true, code: 'patch.stale' }, 'patch.stale'],
  ['an unknown error', new RangeError('x'), 'internal'],
  ['a word', 'x', 'internal'],
  ['nothing', null, 'internal'],
]
for (const [title, value, code] of thrown) test(`${title} is ${code}`, () => assert.equal(asVpError(value).code, code))

test('the cause is kept, and details are not the cause', () => {
  const cause = new Error('why')
  const error = new VpError('internal', 'x', { cause, why: 'so' })
  assert.ok(isVpError(error) && error.cause === cause)
  assert.deepEqual(error.details, { why: 'so' })
})
