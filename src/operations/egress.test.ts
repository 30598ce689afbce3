/** What left, held against receipts: in order, with retries, what is not kept, what was altered, what nobody receipted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256 } from '../core/json.ts'
import type { Receipt } from '../ledger/receipts.ts'
import { callsBefore, egressCalls } from './egress.ts'
import { createMasking } from './masking.ts'
import type { FoundBody } from './runs/kept-bodies.ts'

const bodyOf = (text: string): Buffer => Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content: text }] }))
const kept = (turn: number, text: string, sha = sha256(bodyOf(text))): FoundBody => ({ task: 'T1', attempt: 1, turn, sha, body: bodyOf(text) })
const sent = (text: string) => ({ host: 'h:1', path: '/v1/x', bytes: bodyOf(text).length, sha256: sha256(bodyOf(text)) })
/** `texts` null: from before receipts said it. */
const receipt = (turn: number, texts: readonly string[] | null, more: Partial<Receipt> = {}): Receipt =>
  ({
    op: 'model.call',
    task_id: 't',
    attempt: 1,
    turn,
    ts: turn,
    outcome: 'ok',
    detail: { host: 'h', model: 'm', ...(texts === null ? {} : { sent: texts.map(sent) }) },
    ...more,
  }) as Receipt
const state = { tasks: { t: { task_id: 't', card: { payload: { n: 1 } } } } } as never
const failed = (code: string, outcome = 'error'): Partial<Receipt> => ({ outcome, error: { code, message: '' } })
const calls = (bodies: readonly FoundBody[], receipts: readonly Receipt[]) =>
  egressCalls(state, bodies, receipts, createMasking({ known: [{ label: 'late', value: 'known "too" late 1' }] }))

test('each with its receipt, tries counted, masks counted', () => {
  const first = 'a [REDACTED:JWT:1] b [REDACTED:ENV_SECRET:1]'
  const shown = calls(
    [kept(1, first), kept(2, 'x')],
    [receipt(1, [first], failed('model.rate_limited', 'retry')), receipt(1, [first]), receipt(2, ['x'], failed('model.cut'))],
  )
  assert.deepEqual(
    shown.map(({ turn, sends, masked, proved, kept: isKept, outcome, host, path, body }) => [turn, sends, masked, proved, isKept, outcome, host, path, body]),
    [
      [1, 2, 2, true, true, 'ok', 'h:1', '/v1/x', bodyOf(first).toString()],
      [2, 1, 0, true, true, 'model.cut', 'h:1', '/v1/x', bodyOf('x').toString()],
    ],
  )
})

test('a call that is made again after it failed, and a body that was refused and sent otherwise, are told one by one', () => {
  const shown = calls([kept(1, 'a'), kept(1, 'b')], [receipt(1, ['a'], failed('model.cut')), receipt(1, ['a', 'b'])])
  assert.deepEqual(
    shown.map(({ outcome, sends, proved }) => [outcome, sends, proved]),
    [
      ['model.cut', 1, true],
      ['asked otherwise', 1, true],
      ['ok', 1, true],
    ],
  )
})

test('where nothing left the receipt says so, and nothing is made up', () => {
  const [refused, answered] = calls([], [receipt(1, [], failed('model.unreachable')), receipt(2, [])])
  for (const call of [refused, answered])
    assert.deepEqual([call?.sends, call?.bytes, call?.sha256, call?.body, call?.host, call?.proved], [0, 0, null, null, null, true])
})

test('what is not here is neither proved nor wrong', () => {
  const [gone, older] = calls([], [receipt(1, ['a']), receipt(2, null)])
  assert.deepEqual([gone?.kept, gone?.proved, gone?.sha256, gone?.bytes, gone?.body], [false, false, sent('a').sha256, sent('a').bytes, null])
  assert.deepEqual([older?.kept, older?.proved, older?.sha256, older?.bytes, older?.host, older?.sends], [false, false, null, null, 'h', 1])
})

test('altered bytes are not those of the receipt', () => {
  const whole = kept(1, 'a')
  const [other] = calls([{ ...whole, body: bodyOf('b') }], [receipt(1, ['a'])])
  assert.deepEqual([other?.kept, other?.proved, other?.sha256], [true, false, sha256(bodyOf('b'))])
  const [torn] = calls([{ ...whole, body: null }], [receipt(1, ['a'])])
  assert.deepEqual([torn?.kept, torn?.proved, torn?.body], [true, false, null])
})

test('bytes that nobody receipted are told last', () => {
  const [named, extra] = calls([kept(1, 'new'), kept(2, 'a')], [receipt(2, ['a'])])
  assert.deepEqual([named?.turn, named?.proved], [2, true])
  assert.deepEqual([extra?.turn, extra?.outcome, extra?.kept, extra?.proved], [1, 'no receipt', true, false])
})

test('what became known later is told, also where JSON writes it otherwise', () => {
  assert.equal(calls([kept(1, 'it is known "too" late 1, alas')], [receipt(1, ['it is known "too" late 1, alas'])])[0]?.unmasked, 1)
})

test('a plan that was made after the run is none of its calls, whatever the clock said', () => {
  const seen = [
    { ...receipt(1, ['a'], { ts: 9000 }), isBefore: true },
    { ...receipt(2, ['b'], { ts: 10 }), isBefore: false },
  ]
  const shown = callsBefore(state, [kept(1, 'a'), kept(2, 'b'), kept(3, 'nobody knows')], seen, createMasking({ known: [] }))
  assert.deepEqual(
    shown.map(({ turn, outcome }) => [turn, outcome]),
    [
      [1, 'ok'],
      [3, 'no receipt'],
    ],
  )
})
