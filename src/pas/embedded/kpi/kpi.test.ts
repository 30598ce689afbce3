import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { LANE_GATES, REPOSITORY_GATES } from '../reducer/gates.ts'
import type { ProjectCommandShape } from './command.ts'
import { compareReports } from './compare.ts'
import { judge } from './judge.ts'
import { readLintRun, readTestRun, testArgv, type CommandRun } from './measure.ts'
import { readHookRun } from './pre-commit.ts'
import type { TestCase, TestReport } from './reports/report.ts'

const fixture = (name: string) => readFileSync(`test/fixtures/reports/${name}`, 'utf8')
const ended = (fields: Partial<CommandRun>): CommandRun => ({
  exit_code: 1,
  ended_by: 'exit',
  stdout: '',
  stderr: '',
  report: null,
  root: '/workspace',
  ...fields,
})
const command = (format: ProjectCommandShape['report']['format'], from: 'stdout' | 'file' = 'stdout'): ProjectCommandShape => ({
  argv: ['npm', 'test'],
  runner: format,
  report_args: ['--r={report}'],
  report: { format, from },
})

const real: [title: string, got: () => ReturnType<typeof readTestRun>, want: [passed: number, failed: number, skipped: number], first: string][] = [
  ['node:test 20, TAP', () => readTestRun(command('tap'), ended({ stdout: fixture('node20.tap') })), [4, 4, 2], 'adds # two test/a.test.js:4'],
  ['node:test 26, TAP', () => readTestRun(command('tap'), ended({ stdout: fixture('node26.tap') })), [4, 4, 2], 'adds # two test/a.test.js:4'],
  ['pytest 9, JUnit', () => readTestRun(command('junit', 'file'), ended({ report: fixture('pytest9.xml') })), [2, 3, 1], 'test_b test_b.py:1'],
  [
    'vitest 3, JUnit',
    () => readTestRun(command('junit', 'file'), ended({ report: fixture('vitest3.xml') })),
    [1, 2, 1],
    'a.test.js > cart > adds two a.test.js:4',
  ],
  ['cargo test', () => readTestRun(command('cargo'), ended({ stdout: fixture('cargo.txt'), exit_code: 101 })), [1, 1, 1], 'tests::bad src/lib.rs:4'],
]
for (const [title, got, want, first] of real)
  test(`real report: ${title}`, () => {
    const measured = got()
    const { passed, failed, skipped, report } = measured
    assert.deepEqual([passed, failed, skipped, report.crashed], [...want, null])
    const red = report.tests.find((one) => one.status === 'failed')
    assert.equal(`${red?.name} ${red?.file}:${red?.line}`, first)
    assert.doesNotMatch(measured.output, /duration|0x[0-9a-f]+ |\d+\.\d+ ?ms|\/tmp|\/workspace/)
  })

test('go test -json', () => {
  const lines = [
    { Action: 'run', Package: 'm/cart', Test: 'TestAdd' },
    { Action: 'output', Package: 'm/cart', Test: 'TestAdd', Output: '    cart_test.go:7: got 1\n' },
    { Action: 'fail', Package: 'm/cart', Test: 'TestAdd' },
    { Action: 'pass', Package: 'm/cart', Test: 'TestSum' },
    { Action: 'fail', Package: 'm/cart' },
    { Action: 'fail', Package: 'm/broken' },
  ]
  const measured = readTestRun(command('go-json'), ended({ stdout: lines.map((line) => JSON.stringify(line)).join('\n') }))
  assert.deepEqual([measured.passed, measured.failed], [1, 2])
  assert.equal(measured.report.tests[0]?.line, 7)
})

const nothing: [title: string, run: Partial<CommandRun>, format: ProjectCommandShape['report']['format']][] = [
  ['a crash without a report', { stdout: 'Segmentation fault', exit_code: 139 }, 'tap'],
  ['zero tests', { stdout: 'TAP version 13\n1..0\n', exit_code: 0 }, 'tap'],
  ['a report cut in the middle', { stdout: 'TAP version 13\nok 1 - a\n', exit_code: 1 }, 'tap'],
  ['red, but no test is', { stdout: 'TAP version 13\nok 1 - a\n1..1\n', exit_code: 1 }, 'tap'],
  ['ended by the wall clock', { stdout: 'TAP version 13\nok 1 - a\n1..1\n', exit_code: null, ended_by: 'wall' }, 'tap'],
  ['everything skipped', { stdout: 'TAP version 13\nok 1 - a # SKIP\n1..1\n', exit_code: 0 }, 'tap'],
  ['an XML bomb', { stdout: '<!DOCTYPE a [<!ENTITY b "c">]><testsuites/>', exit_code: 0 }, 'junit'],
  ['results only printed by a test', { stdout: 'ok 1 - fake\nok 2 - fake\n1..2\n', exit_code: 0 }, 'tap'],
  ['no output at all', {}, 'cargo'],
  ['no go events', { stdout: 'ok' }, 'go-json'],
]
for (const [title, run, format] of nothing)
  test(`never a pass: ${title}`, () => {
    const measured = readTestRun(command(format), ended(run))
    assert.equal(measured.pass_rate, null)
    assert.ok(measured.report.crashed)
  })

test('parsers are linear on hostile reports', () => {
  const long = 'x'.repeat(300_000)
  for (const text of [
    `TAP version 13\n${'# Subtest: a\n'.repeat(50_000)}`,
    `<testsuites>${'<testcase name="'.repeat(20_000)}`,
    `test ${long} ... ok`,
    `{"Action":"${long}`,
  ])
    for (const format of ['tap', 'junit', 'cargo', 'go-json'] as const) readTestRun(command(format), ended({ stdout: text }))
})

const one = (name: string, status: TestCase['status'], more: Partial<TestCase> = {}): TestCase => ({
  id: name,
  name,
  file: null,
  line: null,
  status,
  message: null,
  ...more,
})
const reports: [title: string, base: TestCase[], now: TestCase[], want: string[]][] = [
  ['nothing changed', [one('a', 'passed')], [one('a', 'passed')], []],
  ['a test is gone', [one('a', 'passed'), one('b', 'passed')], [one('a', 'passed')], ['test deleted b']],
  ['a red test is gone and a green one came', [one('a', 'failed')], [one('b', 'passed')], ['test deleted a']],
  ['a green test was renamed', [one('a', 'passed')], [one('b', 'passed')], []],
  ['a green test is gone and one came elsewhere', [one('f > a', 'passed')], [one('g > b', 'passed')], ['test deleted f > a']],
  ['a test is skipped now', [one('a', 'passed')], [one('a', 'skipped')], ['test skipped a']],
  ['a red test is skipped now', [one('a', 'failed')], [one('a', 'skipped')], ['test skipped a']],
  ['a green test is red now', [one('a', 'passed')], [one('a', 'failed')], ['test broken a']],
  ['a red test is still red', [one('a', 'failed')], [one('a', 'failed')], []],
  ['one of two with the same name is gone', [one('a', 'passed'), one('a', 'passed')], [one('a', 'passed')], ['test deleted a']],
  [
    'its file does not load any more',
    [one('a', 'passed'), one('b', 'passed')],
    [one('a', 'passed'), one('f.test.js', 'failed', { whole_file: true })],
    ['test did not run b'],
  ],
  ['its file ended without a test in it', [one('a', 'passed')], [one('f.test.js', 'passed', { whole_file: true })], ['test deleted a']],
  ['a file without tests is gone', [one('f.js', 'passed', { whole_file: true })], [], ['test deleted f.js']],
  ['a file without tests was renamed', [one('f.js', 'passed', { whole_file: true })], [one('g.js', 'passed', { whole_file: true })], []],
  ['a file without tests has tests now', [one('f.js', 'passed', { whole_file: true })], [one('a', 'passed')], []],
]
for (const [title, base, now, want] of reports)
  test(`compare: ${title}`, () => {
    const report = (tests: TestCase[]): TestReport => ({ tests, crashed: null })
    assert.deepEqual(
      compareReports(report(base), report(now), null).map((violation) => `${violation.kind} ${violation.name}`),
      want,
    )
  })

test('compare: where the tree shows what became of a test, that is said', () => {
  const [base, now]: TestReport[] = [
    { tests: [one('a', 'failed'), one('b', 'failed')], crashed: null },
    { tests: [], crashed: 'no test ran' },
  ]
  const kinds = compareReports(base as TestReport, now as TestReport, null, new Map([['a', 'test deleted']])).map(({ kind }) => kind)
  assert.deepEqual(kinds, ['test deleted', 'test did not run'])
})

test('tap: a file in which no test was declared is a file, not a test of that name', () => {
  const { report } = tap('ok 1 - test/a.test.js', 'ok 2 - b.test.mjs', 'ok 3 - adds')
  assert.deepEqual(
    report.tests.map((each) => each.whole_file ?? false),
    [true, true, false],
  )
})

const tap = (...lines: string[]) =>
  readTestRun(
    command('tap'),
    ended({
      stdout: ['TAP version 13', ...lines, `1..${lines.length}`].join('\n'),
      exit_code: lines.some((line) => line.startsWith('not')) ? 1 : 0,
    }),
  )
const crash = readTestRun(command('tap'), ended({ stdout: '' }))
const none = readTestRun(command('tap'), ended({ stdout: 'TAP version 13\n1..0\n', exit_code: 5 }))
const stopped = readTestRun(command('tap'), ended({ exit_code: null, ended_by: 'wall' }))
const verdicts: [title: string, base: Parameters<typeof judge>[1], now: Parameters<typeof judge>[2], pass: boolean, about: RegExp][] = [
  ['green', { tests: tap('ok 1 - a'), lint: null }, { tests: tap('ok 1 - a'), lint: null }, true, /^$/],
  ['unmeasurable before and now gates nothing', { tests: null, lint: null }, { tests: null, lint: null }, true, /^$/],
  ['a crash without a report, before and now, is red', { tests: crash, lint: null }, { tests: crash, lint: null }, false, /test_pass_rate failed.*no report/],
  ['no test before and now gates nothing', { tests: none, lint: null }, { tests: none, lint: null }, true, /^$/],
  ['stopped by a limit before and now gates nothing', { tests: stopped, lint: null }, { tests: stopped, lint: null }, true, /^$/],
  ['measurable on the base, not now', { tests: tap('ok 1 - a'), lint: null }, { tests: crash, lint: null }, false, /test did not run: a/],
  [
    'half red',
    { tests: tap('not ok 1 - a', 'ok 2 - b'), lint: null },
    { tests: tap('not ok 1 - a', 'ok 2 - b'), lint: null },
    false,
    /test_pass_rate failed, a/,
  ],
  [
    'the linter is red now',
    { tests: null, lint: readLintRun(ended({ exit_code: 0 })) },
    { tests: null, lint: readLintRun(ended({ stdout: 'src/a.ts:3 unused' })) },
    false,
    /linter_pass failed, src\/a\.ts:3/,
  ],
  ['the linter was red already', { tests: null, lint: readLintRun(ended({})) }, { tests: null, lint: readLintRun(ended({})) }, true, /^$/],
]
for (const [title, base, now, pass, about] of verdicts)
  test(`judge: ${title}`, () => {
    const verdict = judge(LANE_GATES['Code-Impl'], base, now, null)
    assert.equal(verdict.pass, pass)
    assert.match(verdict.reason, about)
    if (!pass) assert.ok(verdict.feedback.length > 0)
  })

const hookRun = (fields: Partial<CommandRun>) => ({ tests: null, lint: null, hook: readHookRun(ended(fields)) })
const CLEAN = hookRun({ exit_code: 0 })
const hooks: [
  title: string,
  base: Parameters<typeof judge>[1],
  now: Parameters<typeof judge>[2],
  want: [measured: boolean, pass: boolean | null] | null,
  about: RegExp,
][] = [
  ['lets it through', CLEAN, CLEAN, [true, true], /^$/],
  ['refuses it', CLEAN, hookRun({ exit_code: 1, stdout: 'b.txt:1 trailing blank' }), [true, false], /trailing blank/],
  ['was red already', hookRun({ exit_code: 1 }), hookRun({ exit_code: 1 }), [true, true], /^$/],
  [
    'has no tool',
    hookRun({ exit_code: 127, stderr: 'sh: 2: black: not found' }),
    hookRun({ exit_code: 127, stderr: 'sh: 2: black: not found' }),
    [false, null],
    /black: not found/,
  ],
  [
    'has no network',
    hookRun({ stderr: 'getaddrinfo EAI_AGAIN example.org' }),
    hookRun({ stderr: 'getaddrinfo EAI_AGAIN example.org' }),
    [false, null],
    /EAI_AGAIN/,
  ],
  ['could run before, and a change says that it cannot', CLEAN, hookRun({ stdout: 'x: command not found' }), [true, false], /command not found/],
  ['takes too long', hookRun({ exit_code: null, ended_by: 'wall' }), hookRun({ exit_code: null, ended_by: 'wall' }), [false, null], /wall limit/],
  ['is not there', { tests: null, lint: null }, { tests: null, lint: null }, null, /^$/],
]
for (const [title, base, now, want, about] of hooks)
  test(`pre_commit: a hook that ${title}`, () => {
    const { kpis } = judge(REPOSITORY_GATES, base, now, null)
    assert.deepEqual(kpis[0] ? [kpis[0].measured, kpis[0].pass] : null, want)
    assert.match(kpis[0]?.first_failure ?? kpis[0]?.why ?? '', about)
  })

test('arguments reach the runner behind npm', () => {
  assert.deepEqual(testArgv({ ...command('tap'), argv: ['npm', 'test'] }, ['test/a.js'], '/tmp/r'), ['npm', 'test', '--', '--r=/tmp/r', 'test/a.js'])
  assert.deepEqual(testArgv({ ...command('tap'), argv: ['python3', '-m', 'pytest'] }, [], '/tmp/r'), ['python3', '-m', 'pytest', '--r=/tmp/r'])
})
