/** What left, held against receipts: in order, with retries, what is not kept, what was altered, what nobody receipted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalJson, sha256 } from '../core/json.ts'
import type { Receipt } from '../ledger/receipts.ts'
import { callsBefore, egressCalls, type Exchanged } from './egress.ts'
import { createMasking } from './masking.ts'

const requestOf = (text: string): string => canonicalJson({ messages: [{ role: 'user', text }], tools: [], max_tokens: 1, temperature: 0 })
const exchange = (turn: number, text: string, sha = sha256(requestOf(text))): Exchanged => ({
  task: 'T1',
  attempt: 1,
  turn,
  request_sha: sha,
  request: requestOf(text),
})
const receipt = (turn: number, input: string | undefined, more: Partial<Receipt> = {}): Receipt =>
  ({
    op: 'model.call',
    task_id: 't',
    attempt: 1,
    turn,
    ts: turn,
    outcome: 'ok',
    detail: { host: 'h', model: 'm' },
    ...(input ? { input_sha: input } : {}),
    ...more,
  }) as Receipt
const state = { tasks: { t: { task_id: 't', card: { payload: { n: 1 } } } } } as never
const calls = (exchanges: readonly Exchanged[], receipts: readonly Receipt[]) =>
  egressCalls(state, exchanges, receipts, createMasking({ known: [{ label: 'late', value: 'known too late 1' }] }))

test('each with its receipt, tries counted, masks counted', () => {
  const first = exchange(1, 'a [REDACTED:JWT:1] b [REDACTED:ENV_SECRET:1]')
  const [one, two] = calls(
    [exchange(2, 'x'), first],
    [
      receipt(1, undefined, { outcome: 'retry' }),
      receipt(1, first.request_sha),
      receipt(2, sha256(requestOf('x')), { error: { code: 'model.cut', message: '' } }),
    ],
  )
  assert.deepEqual([one?.turn, one?.sends, one?.masked, one?.proved, one?.bytes, one?.host], [1, 2, 2, true, Buffer.byteLength(first.request), 'h'])
  assert.deepEqual([two?.turn, two?.sends, two?.outcome, two?.proved], [2, 1, 'model.cut', true])
})

test('altered bytes have no receipt', () => {
  const whole = exchange(1, 'a')
  const [call] = calls([{ ...whole, request: requestOf('b') }], [receipt(1, whole.request_sha)])
  assert.deepEqual([call?.proved, call?.sha256], [false, sha256(requestOf('b'))])
  const [torn] = calls([{ ...whole, request: '{' }], [receipt(1, whole.request_sha)])
  assert.deepEqual([torn?.proved, torn?.request], [false, null])
})

test('bytes that nobody receipted are told, and so are receipts whose bytes were replaced', () => {
  const [lost, extra] = calls([exchange(1, 'new')], [receipt(1, sha256('old'))])
  assert.deepEqual([lost?.bytes, lost?.proved, lost?.sha256], [null, true, sha256('old')])
  assert.deepEqual([extra?.outcome, extra?.proved], ['no receipt', false])
})

test('what became known later is told', () => {
  const late = exchange(1, 'it is known too late 1, alas')
  assert.equal(calls([late], [receipt(1, late.request_sha)])[0]?.unmasked, 1)
})

test('a plan that was made after the run is none of its calls, whatever the clock said', () => {
  const [first, later] = [exchange(1, 'a'), exchange(2, 'b')]
  const seen = [
    { ...receipt(1, first.request_sha, { ts: 9000 }), isBefore: true },
    { ...receipt(2, later.request_sha, { ts: 10 }), isBefore: false },
  ]
  const shown = callsBefore(state, [first, later, exchange(3, 'nobody knows')], seen, createMasking({ known: [] }))
  assert.deepEqual(
    shown.map(({ turn, outcome }) => [turn, outcome]),
    [
      [1, 'ok'],
      [3, 'no receipt'],
    ],
  )
})
