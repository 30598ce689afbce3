import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../core/json.ts'
import { BESIDE_ROOM, besideOf, cutAtLine, type Beside } from './beside.ts'
import { contextAt, extended, openContext, readied } from './context.ts'
import type { Entry } from './story.ts'

const known = (...shown: string[]): Beside[] =>
  ['AGENTS.md', 'a/AGENTS.md', 'a/b/AGENTS.md', 'ab/AGENTS.md'].map((path) => ({
    path,
    text: `of ${path}`,
    isShown: path === 'AGENTS.md' || shown.includes(path),
  }))
const made = (name: string, args: Json, { code = null, text = '' }: { code?: 'path.not_found' | null; text?: string } = {}): Entry => ({
  kind: 'result',
  turn: 1,
  index: 1,
  call: { id: 'c', name, arguments: args },
  text,
  code,
})

const cases: [title: string, results: Entry[], shown: string[], want: string[]][] = [
  ['the nearest, not those above it', [made('read', { path: 'a/b/x.ts' })], [], ['a/b/AGENTS.md']],
  ['a folder that only begins alike is another', [made('read', { path: 'ab/x.ts' })], [], ['ab/AGENTS.md']],
  ['a list of the folder itself', [made('list', { path: './a/' })], [], ['a/AGENTS.md']],
  ['what a patch changed', [made('patch', { diff: '…' }, { text: 'a/x.ts: changed at line 3' })], [], ['a/AGENTS.md']],
  ['one that is shown, also where the one above it is not', [made('edit', { path: 'a/b/x.ts' })], ['a/b/AGENTS.md'], []],
  [
    'each once, in the order of the calls',
    [made('read', { path: 'ab/x' }), made('read', { path: 'a/x' }), made('read', { path: 'ab/y' })],
    [],
    ['ab/AGENTS.md', 'a/AGENTS.md'],
  ],
  ['a call that failed touches nothing', [made('read', { path: 'a/none' }, { code: 'path.not_found' })], [], []],
  ['a search touches nothing', [made('search', { query: 'a/b', path: 'a' })], [], []],
  ['no path, no text', [made('read', { path: 7 }), made('read', null), { kind: 'note', turn: 1, text: 'a/x' }], [], []],
]
for (const [title, results, shown, want] of cases)
  test(title, () => {
    assert.deepEqual(
      besideOf(known(...shown), results, BESIDE_ROOM).map(({ path }) => path),
      want,
    )
  })

test('the room goes to the folders that are touched first, and what has none is named', () => {
  const folders = ['a', 'b', 'c', 'd']
  const beside = folders.map((name): Beside => ({ path: `${name}/AGENTS.md`, text: `${name}\n`.repeat(900), isShown: false }))
  const touched = ['d', 'b', 'c'].map((name) => made('read', { path: `${name}/x` }))
  const told = besideOf(beside, touched, BESIDE_ROOM)
  assert.deepEqual(
    told.map(({ path, text }) => [path, text.length > 200]),
    [
      ['d/AGENTS.md', true],
      ['b/AGENTS.md', true],
      ['c/AGENTS.md', true],
    ],
  )
  assert.equal(told[0]?.text.length, 1800)
  assert.ok(told.reduce((sum, { text }) => sum + text.length, 0) <= BESIDE_ROOM)
  assert.deepEqual(
    besideOf(beside, touched, 100).map(({ text }) => text),
    ['', '', ''],
  )
})

test('a text is cut behind a line, and within one that is longer than half of the room', () => {
  assert.equal(cutAtLine('x'.repeat(5000), 2000).length, 2000)
  assert.equal(cutAtLine(`a\n${'x'.repeat(5000)}`, 2000).length, 2000)
  assert.equal(cutAtLine('line\n'.repeat(1000), 2000), `${'line\n'.repeat(397)}line\n(cut here)`)
  assert.equal(cutAtLine('😀'.repeat(3000), 2000).isWellFormed(), true)
  assert.equal(cutAtLine('😀'.repeat(3000), 2001).isWellFormed(), true)
  assert.equal(cutAtLine('x'.repeat(300), 200), '')
})

test('what was told of a folder outlives a compaction, word for word', () => {
  const opened = openContext(
    { system: 's', goal: 'g', words: [], files: [] },
    { window_tokens: 4000, fraction: 0.5, hard_stop: 0.75 },
    { tools: [], answer: 500 },
  )
  const entries = Array.from({ length: 8 }, (_, index): Entry[] => {
    const call = { id: `c${index}`, name: 'read', arguments: { path: `f${index}` } }
    return [
      { kind: 'answer', turn: index + 1, text: '', calls: [call] },
      { kind: 'result', turn: index + 1, index: 1, call, text: `${index} `.repeat(700), code: null },
      ...(index === 0 ? [{ kind: 'instructions', turn: 1, text: 'of a/AGENTS.md: tabs' } as const] : []),
    ]
  }).flat()
  const context = contextAt(opened, entries, 9)
  assert.ok(context.compactions.length > 0)
  assert.equal(context.messages.filter(({ text }) => text.includes('of a/AGENTS.md: tabs')).length, 1)
  assert.equal(readied(extended(opened, entries.slice(0, 3)), 2).messages.at(-1)?.text, 'of a/AGENTS.md: tabs')
})
