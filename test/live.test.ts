/** The live view: its picture byte by byte, its manners on a terminal, and what it calls things. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cells } from '../src/surfaces/cli/cells.ts'
import { doingAfter, noteNow, toldEvent } from '../src/surfaces/cli/doing.ts'
import { openRegion } from '../src/surfaces/cli/region.ts'
import { liveFrame, type LiveRow, type LiveView } from '../src/surfaces/cli/screens/live.ts'
import type { Look } from '../src/surfaces/cli/style.ts'

const LOOK: Look = { width: 80, colour: false, ascii: false, plain: false, tty: true }
const row = (n: number, lane: string, state: LiveRow['state'], doing: string, note: string, cost_usd: number, seconds: number): LiveRow => ({
  n,
  lane,
  state,
  doing,
  note,
  cost_usd,
  ms: seconds * 1000,
})

const VIEW: LiveView = {
  project: 'shop-api',
  run: '9c1f',
  elapsed_ms: 958_000,
  backend: 'bwrap',
  total: 24,
  counts: { done: 7, running: 9, waiting: 1, queued: 7, failed: 0 },
  cost_usd: 1.12,
  budget_usd: 4,
  runway_ms: 41 * 60_000,
  left_ms: 22 * 60_000,
  rows: [
    row(14, 'Narrative', 'runs', 'gate readability', '', 0.02, 12),
    row(3, 'Impl', 'runs', 'edit src/cart/totals.ts', '', 0.09, 160),
    row(5, 'Impl', 'runs', 'test npm test -- cart', '31 passed', 0.14, 132),
    row(9, 'Impl', 'again', 'model qwen2.5-coder:7b', '212 tok', 0, 58),
    row(7, 'Impl', 'waits', 'run node -e …', 'press Enter to look', 0.06, 62),
    row(8, 'Data-Schema', 'runs', 'read db/migrations/0007_orders.sql', '', 0.03, 51),
    row(10, 'Data-Schema', 'runs', 'model qwen2.5-coder:7b', 'no reply 14s', 0, 44),
    row(11, 'API-Design', 'runs', 'search “cart_id”', '18 matches', 0.02, 40),
    row(12, 'Narrative', 'runs', 'edit docs/carts.md', '', 0.01, 33),
    row(13, 'Narrative', 'runs', 'model qwen2.5-coder:7b', '88 tok', 0, 21),
  ],
  queue: [
    { n: 15, after: [3] },
    { n: 16, after: [3] },
    { n: 17, after: [5] },
    { n: 18, after: [5] },
    { n: 19, after: [5] },
    { n: 20, after: [17] },
    { n: 21, after: [17] },
  ],
  keys: 'Ctrl-C pauses',
}

test('ten parallel tasks at 80 columns, byte by byte', () => {
  const wanted = readFileSync(join(import.meta.dirname, 'screens', 'live.txt'), 'utf8').replace('== 80\n', '')
  assert.equal(`${liveFrame(VIEW, LOOK, 22).join('\n')}\n`, wanted)
})

test('no row is over columns - 1, no frame over its height, whatever the terminal is', () => {
  const many = {
    ...VIEW,
    rows: Array.from({ length: 300 }, (_, n) => row(n, 'Code-Impl', 'runs', `edit src/${'x'.repeat(n)}/日本語.ts`, 'y'.repeat(n), n, n * 77)),
  }
  for (const view of [VIEW, many])
    for (const width of [20, 40, 59, 60, 80, 100])
      for (const height of [4, 10, 22])
        for (const ascii of [false, true]) {
          const lines = liveFrame(view, { ...LOOK, width, ascii }, height)
          assert.ok(lines.length <= height, `${lines.length} lines of ${height}`)
          for (const line of lines) assert.ok(cells(line) <= width - 1, `${cells(line)} of ${width}: ${line}`)
        }
  assert.match(liveFrame(many, LOOK, 22).join('\n'), /^ {2}\+\d+ running$/m)
})

/** A terminal that is only its lines and a cursor; what it cannot do it refuses. */
function terminal(columns: number) {
  const lines: string[] = ['']
  let at = 0
  let column = 0
  let writes = 0
  const write = (text: string) => {
    writes++
    // oxlint-disable-next-line no-control-regex
    for (const [part] of text.matchAll(/\x1b\[[\d;?]*[A-Za-z]|[^\x1b]/gu)) {
      const [, number = '', letter = ''] = /^\x1b\[([\d;?]*)([A-Za-z])$/.exec(part) ?? []
      if (letter === 'A') at = Math.max(0, at - Number(number || 1))
      else if (letter === 'B') at = Math.min(lines.length - 1, at + Number(number || 1))
      else if (letter === 'K') lines[at] = (lines[at] ?? '').slice(0, column)
      else if (letter === 'J') {
        assert.notEqual(number, '2', 'the screen is never cleared')
        lines.splice(at + 1)
        lines[at] = (lines[at] ?? '').slice(0, column)
      } else if (letter === 'h' || letter === 'l') assert.match(part, /\?2026/, 'no alternate screen, no hidden cursor')
      else if (part === '\r') column = 0
      else if (part === '\n') {
        at++
        column = 0
        if (at === lines.length) lines.push('')
      } else {
        lines[at] = (lines[at] ?? '').slice(0, column) + part + (lines[at] ?? '').slice(column + 1)
        column++
      }
    }
  }
  return { write, columns: () => columns, shown: () => lines.join('\n'), writes: () => writes }
}

test('the region is written over in place, finished lines stay above it, and at the end it is gone', () => {
  const screen = terminal(80)
  const region = openRegion(screen.write, screen.columns)
  region.draw(['a 1', 'b 1'])
  region.draw(['a 1', 'b 2'])
  assert.equal(screen.shown(), 'a 1\nb 2\n')
  const before = screen.writes()
  region.draw(['a 1', 'b 2'])
  assert.equal(screen.writes(), before, 'nothing changed, nothing is written')
  region.above('done: one\n')
  region.draw(['a 1', 'b 3', 'c'])
  region.above('done: two\n')
  assert.equal(screen.shown(), 'done: one\ndone: two\na 1\nb 3\nc\n')
  region.draw(['a 2'])
  assert.equal(screen.shown(), 'done: one\ndone: two\na 2\n')
  region.erase()
  assert.equal(screen.shown(), 'done: one\ndone: two\n')
})

test('work is named by verb and object, and silence is said after ten seconds', () => {
  const read = doingAfter(undefined, { kind: 'tool', name: 'read', args: { path: 'src/a.ts' } }, 0, 'npm test')
  assert.equal(read.words, 'read src/a.ts')
  const model = doingAfter(read, { kind: 'model', model: 'qwen', tokens: 0 }, 1000, 'npm test')
  assert.equal(model.words, 'model qwen')
  assert.equal(noteNow(model, 5000), '')
  assert.equal(noteNow(model, 15_000), 'no reply 14s')
  assert.equal(noteNow(doingAfter(model, { kind: 'model', model: 'qwen', tokens: 212 }, 15_000, 'npm test'), 16_000), '212 tok')
  const told = doingAfter(undefined, { kind: 'told', name: 'test', args: {}, text: '31 passed, 0 failed' }, 0, 'npm test')
  assert.deepEqual([told.words, told.note], ['test npm test', '31 passed'])
  assert.equal(doingAfter(undefined, { kind: 'tool', name: 'run', args: { argv: ['make', 'docs'] } }, 0, '').words, 'run make docs')
  assert.equal(doingAfter(undefined, { kind: 'tool', name: 'edit', args: null }, 0, '').words, 'edit')
})

test('a small change shows its tests and edits, and nothing of what only looked', () => {
  const test_ = toldEvent(
    { kind: 'told', name: 'test', args: {}, text: '11 passed, 1 failed\nFAILED cart > adds two carts (test/cart.test.ts:9)\n  1 !== 2' },
    'npm test',
  )
  assert.equal(test_?.text, 'npm test · 11 passed, 1 failed: “adds two carts”')
  const edit = toldEvent({ kind: 'told', name: 'edit', args: { path: 'src/a.ts', old: 'x', new: 'y\nz' }, text: 'src/a.ts: changed at line 14' }, 'npm test')
  assert.deepEqual(edit, { verb: 'edit', text: 'src/a.ts:14', detail: ['-x', '+y', '+z'] })
  assert.equal(toldEvent({ kind: 'told', name: 'edit', args: {}, text: 'Nothing to do: the file already reads so.' }, ''), null)
  assert.equal(toldEvent({ kind: 'told', name: 'read', args: {}, text: 'x' }, ''), null)
})

test('what has lasted less than a second is not called a second', () => {
  const lines = liveFrame({ ...VIEW, elapsed_ms: 300, rows: [row(3, 'Impl', 'runs', 'open its tree', '', 0, 0.3)], queue: [] }, LOOK, 22)
  assert.deepEqual([lines[0]?.includes(' <1s · bwrap'), lines.at(-1)?.endsWith(' <1s')], [true, true], lines.join('\n'))
})
