import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinEvidence } from './join.ts'
import type { Evidence } from './judge.ts'

const shown = (...names: string[]): Evidence => ({
  lint: null,
  tests: {
    report: { tests: names.map((name) => ({ id: name, name, file: null, line: null, status: 'passed', message: null })), crashed: null },
    pass_rate: 1,
    passed: names.length,
    failed: 0,
    skipped: 0,
    exit_code: 0,
    ended_by: 'exit',
    output: '',
  },
})
const none: Evidence = { tests: null, lint: null }

const cases: [title: string, base: Evidence, run: Evidence, person: Evidence, want: string[] | null][] = [
  ['what either side added counts', shown('a'), shown('a', 'r'), shown('a', 'p'), ['a', 'p', 'r']],
  ['what the person deleted may stay away', shown('a', 'b'), shown('a', 'b'), shown('a'), ['a']],
  ['what the run took away counts where the person kept it', shown('a', 'b'), shown('a'), shown('a', 'b'), ['a', 'b']],
  ['both added the same test: it is one', shown('a'), shown('a', 'n'), shown('a', 'n'), ['a', 'n']],
  ['the person’s branch cannot be measured', shown('a'), shown('a', 'r'), none, ['a', 'r']],
  ['nothing can', none, none, none, null],
]
for (const [title, base, run, person, want] of cases)
  test(title, () => assert.deepEqual(joinEvidence(base, run, person).tests?.report.tests.map(({ name }) => name) ?? null, want))
