/** The packer and the fold over a story: what is promised of every context, whatever the story. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ErrorCode } from '../../core/errors.ts'
import { canonicalJson, type Json } from '../../core/json.ts'
import { estimateTokens } from '../../models/prices.ts'
import { AGENT_TOOLS } from '../tools.ts'
import { contextAt, extended, openContext, pinsAt, readied, WINDOW_POLICY, type Context, type WindowPolicy } from './context.ts'
import { pack } from './pack.ts'
import { pinsOf } from './pins.ts'
import type { Entry, Opening, Result } from './story.ts'

const OPENING: Opening = { system: 'You mend.', goal: 'Task T1: keep the cents\n\nFiles:\na.ts', words: ['keep the cents'], files: ['a.ts'] }

function result(turn: number, index: number, name: string, args: Json, text: string, code: ErrorCode | null = null): Result {
  return { kind: 'result', turn, index, call: { id: `t${turn}c${index}`, name, arguments: args }, text, code }
}
const answered = (...results: Result[]): Entry[] => [
  { kind: 'answer', turn: results[0]?.turn ?? 0, text: '', calls: results.map(({ call }) => call) },
  ...results,
]
const opened = (policy: WindowPolicy = WINDOW_POLICY, opening = OPENING): Context =>
  openContext(opening, policy, { tools: AGENT_TOOLS, answer: Math.min(4096, policy.window_tokens / 4) })
const lines = (from: number, to: number, mark = '') => Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}${mark}`).join('\n')

const RED = '1 passed, 1 failed\nFAILED adds (test/a.test.ts:4)\n  3 is not 5'
test('pins: the words, what a rule or a person refused, what failed, which files, which tests', () => {
  const story: Entry[] = [
    { kind: 'told', turn: 1, n: 1, text: 'never touch  the API' },
    ...answered(result(1, 1, 'run', { argv: ['npm', 'publish'] }, 'policy.denied: not in the lane\nRule: code-impl/default', 'policy.denied')),
    ...answered(result(2, 1, 'edit', { path: 'src/a.ts', old: 'x', new: 'y' }, 'src/a.ts: changed at line 3'), result(2, 2, 'test', {}, RED)),
    ...answered(result(3, 1, 'run', { argv: ['node', '-e', '1'] }, 'approval.denied: a person denied this call', 'approval.denied')),
    ...answered(
      result(4, 1, 'edit', { path: 'src/a.ts', old: 'z', new: 'y' }, 'patch.rejected: no such text', 'patch.rejected'),
      result(4, 2, 'test', {}, '2 passed, 0 failed'),
    ),
  ]
  const pins = pinsOf(OPENING, story).map(({ kind, text, cite, from, until }) => [kind, text.split('\n')[0], cite, from, until])
  assert.deepEqual(pins, [
    ['words', 'keep the cents', 'goal', 1, null],
    ['words', 'never touch  the API', 'told 1', 1, null],
    ['failed', 'policy.denied: not in the lane', 't1c1', 2, null],
    ['identifier', 'src/a.ts', 't2c1', 3, null],
    ['failed', 'FAILED adds (test/a.test.ts:4)', 't2c2', 3, null],
    ['violation', 'FAILED adds (test/a.test.ts:4)', 't2c2', 3, 5],
    ['decision', 'approval.denied: a person denied this call', 't3c1', 4, null],
  ])
})

test('pins: a run of some tests closes nothing that it did not run', () => {
  const story = [...answered(result(1, 1, 'test', {}, RED)), ...answered(result(2, 1, 'test', { args: ['b.test.ts'] }, '1 passed, 0 failed'))]
  assert.deepEqual(
    pinsOf(OPENING, story)
      .filter(({ kind }) => kind === 'violation')
      .map(({ until }) => until),
    [null],
  )
})

const PACKS: [title: string, entries: Entry[], room: number, items: string[], dropped: string[]][] = [
  ['what fits is in full', answered(result(1, 1, 'read', { path: 'b.ts' }, lines(1, 9))), 1000, ['t1c1 full 1-9'], []],
  [
    'a file that was changed since is left out',
    [...answered(result(1, 1, 'read', { path: 'a.ts' }, lines(1, 9))), ...answered(result(2, 1, 'write', { path: 'a.ts', content: 'x' }, 'a.ts: changed'))],
    1000,
    ['t2c1 full'],
    ['t1c1 changed by t2c1'],
  ],
  [
    'the same lines are told once',
    [...answered(result(1, 1, 'read', { path: 'b.ts', from: 2, to: 4 }, lines(2, 4))), ...answered(result(2, 1, 'read', { path: 'b.ts' }, lines(1, 9)))],
    1000,
    ['t2c1 full 1-9'],
    ['t1c1 the same lines are in t2c1'],
  ],
  [
    'overlapping lines are told once',
    [
      ...answered(result(1, 1, 'read', { path: 'b.ts', from: 1, to: 6 }, lines(1, 6))),
      ...answered(result(2, 1, 'read', { path: 'b.ts', from: 4, to: 9 }, lines(4, 9))),
    ],
    1000,
    ['t1c1 full 1-3', 't2c1 full 4-9'],
    [],
  ],
  [
    'of the tests the last run',
    [...answered(result(1, 1, 'test', {}, RED)), ...answered(result(2, 1, 'test', {}, RED))],
    1000,
    ['t2c1 full'],
    ['t1c1 the tests ran again in t2c1'],
  ],
  [
    'the target comes before what is larger and what is beside it',
    [...answered(result(1, 1, 'read', { path: 'z.ts' }, lines(1, 90))), ...answered(result(2, 1, 'read', { path: 'a.ts' }, lines(1, 90)))],
    260,
    ['t1c1 snippet 1-90', 't2c1 full 1-90'],
    [],
  ],
  ['a form at a time: snippet', answered(result(1, 1, 'read', { path: 'b.ts' }, lines(1, 90))), 80, ['t1c1 snippet 1-90'], []],
  ['a form at a time: summary', answered(result(1, 1, 'search', { query: 'q' }, `${'x'.repeat(60)}\n${lines(1, 90)}`)), 35, ['t1c1 summary'], []],
  ['a form at a time: citation', answered(result(1, 1, 'search', { query: 'q' }, `${'x'.repeat(60)}\n${lines(1, 90)}`)), 12, ['t1c1 citation'], []],
  ['no room at all', answered(result(1, 1, 'search', { query: 'q' }, 'x')), 3, [], ['t1c1 over the fraction of the window']],
]
for (const [title, entries, room, items, dropped] of PACKS)
  test(`pack: ${title}`, () => {
    const packed = pack(entries, ['a.ts'], room)
    assert.deepEqual(
      packed.items.map(({ id, form, lines: range }) => [id, form, ...(range ? [range.join('-')] : [])].join(' ')),
      items,
    )
    assert.deepEqual(
      packed.dropped.map(({ id, reason }) => `${id} ${reason}`),
      dropped,
    )
  })

/** A story of a seed: calls of every kind, long and short results, refusals, words of the person's between them. */
function storyOf(seed: number, turns: number): Entry[] {
  let state = seed >>> 0
  const chance = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 4294967296
  const pick = <One>(from: readonly One[]): One => from[Math.floor(chance() * from.length)] as One
  const files = ['a.ts', 'src/b.ts', 'src/deep/c.ts', 'ä b.ts']
  const one = (turn: number, index: number): Result => {
    const path = pick(files)
    const from = 1 + Math.floor(chance() * 40)
    const to = from + Math.floor(chance() * 200)
    return pick<() => Result>([
      () => result(turn, index, 'read', { path, from, to }, lines(from, to, ` of ${path} at ${turn}`)),
      () => result(turn, index, 'read', { path }, lines(1, Math.ceil(chance() * 300))),
      () => result(turn, index, 'edit', { path, old: 'a', new: 'b' }, `${path}: changed at line ${from}`),
      () => result(turn, index, 'edit', { path, old: 'a', new: 'b' }, 'patch.rejected: no such text', 'patch.rejected'),
      () => result(turn, index, 'search', { query: `q${from}` }, Array.from({ length: to % 60 }, (_, n) => `${path}:${n}: hit`).join('\n')),
      () => result(turn, index, 'test', {}, `${from} passed, 2 failed\nFAILED test ${to % 7} (t.ts:${to})\nFAILED other\n  why`),
      () => result(turn, index, 'test', {}, `${from} passed, 0 failed`),
      () => result(turn, index, 'run', { argv: ['rm', `${from}`] }, `policy.denied: ${from} is not allowed\nRule: r`, 'policy.denied'),
    ])()
  }
  return Array.from({ length: turns }, (_, at) => at + 1).flatMap((turn): Entry[] => [
    ...(chance() < 0.05 ? [{ kind: 'told', turn, n: turn, text: `words ${turn}\n  kept as they are ${'!'.repeat(turn % 9)}` } as const] : []),
    ...(chance() < 0.05
      ? [{ kind: 'answer', turn, text: '', calls: [] } as const, { kind: 'note', turn, text: 'No tool was called.' } as const]
      : answered(...Array.from({ length: 1 + Math.floor(chance() * 3) }, (_unused, index) => one(turn, index + 1)))),
  ])
}

const SIZES: readonly number[] = [8192, 16_384, 32_768]
for (const seed of [1, 2, 3, 4, 5, 6, 7, 8])
  test(`property: pins in every request, prefixes kept, limits held, bytes equal (seed ${seed})`, () => {
    const policy = { ...WINDOW_POLICY, window_tokens: SIZES[seed % SIZES.length] as number }
    const story = storyOf(seed, 120)
    const byTurn = Map.groupBy(story, (entry) => (entry.kind === 'told' ? entry.turn : entry.turn + 1))
    let before = contextAt(opened(policy), story, 1)
    for (let turn = 2; turn <= 120; turn++) {
      const now = readied(extended(before, byTurn.get(turn) ?? []), turn)
      const sent = JSON.stringify(now.messages)
      if (turn % 30 === 0)
        assert.equal(sent, JSON.stringify(contextAt(opened(policy), structuredClone(story), turn).messages), 'the same story, the same bytes')
      for (const pin of pinsAt(now, turn)) assert.ok(sent.includes(JSON.stringify(pin.text).slice(1, -1)), `turn ${turn}: ${pin.kind} ${pin.text}`)
      if (now.compactions.length === before.compactions.length)
        assert.deepEqual(now.messages.slice(0, before.messages.length), before.messages, 'it only grows')
      assert.ok(now.tokens <= now.room * policy.hard_stop, `${now.tokens} of ${now.room}`)
      answersFollowCalls(now)
      before = now
    }
    assert.ok(before.compactions.length >= 3, `${before.compactions.length} compactions`)
    for (const { items, dropped, reason } of before.compactions) {
      assert.match(reason, /^\d+ of \d+ tokens, over 0\.75/)
      const ids = [...items, ...dropped].map(({ id }) => id)
      assert.equal(new Set(ids).size, ids.length, 'each is either in or left out')
    }
  })

/** As servers want it: every call has its result right behind it, in order. */
function answersFollowCalls({ messages }: Context): void {
  for (const [at, message] of messages.entries())
    if (message.role === 'assistant')
      assert.deepEqual(
        messages.slice(at + 1, at + 1 + message.calls.length).map((one) => (one.role === 'tool' ? one.call_id : one.role)),
        message.calls.map(({ id }) => id),
      )
}

for (const seed of [1, 2, 3, 4, 5, 6])
  test(`property: a pack is within its room, no line of a file twice (seed ${seed})`, () => {
    const story = storyOf(seed, 60)
    for (const room of [0, 10, 300, 2000, 9000]) {
      const packed = pack(story, ['a.ts'], room)
      assert.ok(estimateTokens(packed.text) <= room || packed.items.length === 0, `${estimateTokens(packed.text)} of ${room}`)
      assert.equal(canonicalJson(pack(structuredClone(story), ['a.ts'], room)), canonicalJson(packed))
      const byFile = Map.groupBy(
        packed.items.filter(({ form }) => form === 'full'),
        ({ file }) => file,
      )
      for (const [file, items] of byFile) {
        if (file === undefined) continue
        const shown = items.flatMap(({ lines: range }) => (range ? Array.from({ length: range[1] - range[0] + 1 }, (_, index) => range[0] + index) : []))
        assert.equal(new Set(shown).size, shown.length, `${file}: ${JSON.stringify(items)}`)
      }
    }
  })

test('what may not be dropped and does not fit is a typed error with both numbers', () => {
  const long = { ...OPENING, goal: `${OPENING.goal}\n${'x'.repeat(40_000)}` }
  assert.throws(() => contextAt(opened({ ...WINDOW_POLICY, window_tokens: 8192 }, long), [], 1), {
    code: 'model.too_large',
    message: /takes \d+ tokens, \d+ of a window of 8192/,
  })
})
