/** The attack table of commands against the shipped lanes, and against lanes that a careless person would write. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideCommand, type Effect } from '../../src/policy/argv.ts'
import { parseLaneYaml } from '../../src/policy/lane-file.ts'
import { shownCommand } from '../../src/policy/shown.ts'
import { shippedLane } from '../../src/policy/shipped-lanes.ts'
import { ARGV_ROWS } from './argv-cases.ts'

const words = (argv: string | readonly string[]): readonly string[] => (typeof argv === 'string' ? argv.split(' ') : argv)

for (const { title, want, argv, lane = 'Code-Impl', actor = 'human' } of ARGV_ROWS)
  test(`${want}: ${title} (${argv.length})`, () => {
    const wrong = argv
      .map((one) => [one, decideCommand(words(one), shippedLane(lane), actor)] as const)
      .filter(([, got]) => got.effect !== want)
      .map(([one, got]) => `${JSON.stringify(one).slice(0, 120)}: ${got.effect} by ${got.rule}`)
    assert.deepEqual(wrong, [])
  })

const laneWith = (...rules: readonly string[]) => parseLaneYaml(`lane: Code-Impl\ncommands:\n  allow:\n${rules.map((rule) => `    - ${rule}\n`).join('')}`)

/** A lane of one rule, as somebody writes it who wants to be left alone. */
const CARELESS: readonly (readonly [title: string, rule: string, want: Effect, argv: readonly string[]])[] = [
  ['a bare rule does not cover inline code', "[python3, '*']", 'ask', ['python3 -c x', 'python3 -Ic x', 'python3', 'python3 - x']],
  ['nor a language in a word', "[awk, '*']", 'ask', ['awk BEGIN{system("x")}', 'awk -f a.awk']],
  ['nor find, sed, tar, vim', "[sed, '*']", 'ask', ['sed -n 1p a', 'sed 1e a']],
  ['nor a wrapper', "[timeout, '*']", 'ask', ['timeout 5 node a.js']],
  ['nor a wrapper that names itself', "[xargs, '*']", 'ask', ['xargs node', 'xargs -a f python3']],
  ['a runner is its inner program', "[poetry, run, '*']", 'ask', ['poetry run python -c x', 'poetry run -q node -e x']],
  [
    'a runner is its inner program, and that may be denied',
    "[poetry, run, '*']",
    'deny',
    ['poetry run bash', 'poetry run -q sh -c x', 'poetry run pip install x', 'poetry run pytest -p x', 'poetry run uv run sh'],
  ],
  ['a runner as it is used', "[poetry, run, '*']", 'allow', ['poetry run pytest -q', 'poetry run -q mypy src', 'poetry run python a.py']],
  ['a rule that says every word covers just that', '[sed, -n, 1p, README.md]', 'allow', ['sed -n 1p README.md']],
  ['a rule that says every word covers nothing else', '[sed, -n, 1p, README.md]', 'ask', ['sed -n 1e README.md']],
  ['inline code by name', "[node, -e, '*']", 'allow', ['node -e x']],
  ['inline code by another name', "[node, -e, '*']", 'ask', ['node -p x', 'node --eval x']],
  ['what nobody can allow', "[bash, '*']", 'deny', ['bash a.sh', 'bash']],
  ['an option that nobody can allow', "[pytest, '*']", 'deny', ['pytest -qp x', 'pytest @x']],
  ['a value is no option', "[tool, --in, '*', '*']", 'deny', ['tool --in -x']],
  ['a value is a value', "[tool, --in, '*', go]", 'allow', ['tool --in x go']],
  ['response files of a compiler', "[tsc, '*']", 'deny', ['tsc @x', 'tsc -p . @x']],
]
for (const [title, rule, want, argv] of CARELESS)
  test(`a lane of ${rule}: ${want}: ${title} (${argv.length})`, () => {
    const got = argv.map((one) => [one, decideCommand(words(one), laneWith(rule), 'human').effect])
    assert.deepEqual(
      got,
      argv.map((one) => [one, want]),
    )
  })

test('the size of the table, a third of it honest work', () => {
  const all = [...ARGV_ROWS.flatMap(({ want, argv }) => argv.map(() => want)), ...CARELESS.flatMap(([, , want, argv]) => argv.map(() => want))]
  const honest = all.filter((want) => want === 'allow').length
  assert.ok(all.length >= 400 && honest * 3 >= all.length, `${honest} of ${all.length} are allowed`)
})

test('a command is shown on one line, and where its arguments begin', () => {
  const rows: [argv: string[], shown: string][] = [
    [['npm', 'run', 'a:b', '--', '--x=1'], 'npm run a:b -- --x=1'],
    [['node', '-e', 'x y'], "node -e 'x y'"],
    [['node', '-e', 'x', 'y'], 'node -e x y'],
    [['node', '-e', 'x\nundo     all of it'], String.raw`node -e 'x\nundo     all of it'`],
    [['node', '-e', String.raw`x\n'`], String.raw`node -e 'x\\n\''`],
    [['node', ''], "node ''"],
  ]
  for (const [argv, shown] of rows) assert.equal(shownCommand(argv), shown)
})

test('programs within programs are judged in time that their number bounds', () => {
  const chains: (readonly string[])[] = [
    ...['env', 'timeout', 'xargs'].map((name) => Array.from({ length: 900 }, () => name)),
    Array.from({ length: 300 }, () => ['env', 'uv', 'run']).flat(),
    Array.from({ length: 300 }, () => ['python3', '-m', 'env']).flat(),
    Array.from({ length: 450 }, () => ['poetry', 'run']).flat(),
    Array.from({ length: 900 }, (_, at) => (at % 2 === 0 ? 'nice' : 'yarn')),
  ]
  const before = process.threadCpuUsage()
  for (const chain of chains) assert.notEqual(decideCommand([...chain, 'a'], shippedLane('Code-Impl'), 'human').effect, 'allow')
  assert.ok(process.threadCpuUsage(before).user < 2_000_000, 'two seconds of processor time')
  assert.equal(decideCommand(words('poetry run poetry run poetry run poetry run poetry run sh'), laneWith("[poetry, run, '*']"), 'human').effect, 'deny')
})
