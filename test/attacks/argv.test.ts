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

/** Programs whose arguments choose code, each with spellings that do. */
const BARE: readonly (readonly [program: string, argv: readonly (string | readonly string[])[]])[] = [
  ...['prlimit', 'setarch', 'linux32', 'linux64', 'i386', 'x86_64', 'choom', 'fakeroot', 'xvfb-run', 'rlwrap', 'dbus-run-session', 'bwrap', 'taskset'].map(
    (program) => [program, [`${program} -- ./tool`]] as const,
  ),
  ...['chrt', 'ionice', 'numactl', 'nice', 'time', 'gtime', 'watch', 'flock', 'script', 'expect', 'parallel', 'stdbuf', 'valgrind', 'hyperfine'].map(
    (program) => [program, [`${program} 1 tool`]] as const,
  ),
  ...['gawk', 'ed', 'vim', 'less', 'gdb', 'sqlite3', 'm4', 'tclsh', 'R', 'fzf', 'gs', 'pdflatex', 'redis-cli', 'tar', 'find', 'sort', 'rake', 'gtar'].map(
    (program) => [program, [`${program} -q x`]] as const,
  ),
  ['cmake', ['cmake -E env tool', 'cmake -P a.cmake', 'cmake -DCMAKE_C_COMPILER_LAUNCHER=./x .', 'cmake -D CMAKE_CXX_COMPILER=./x .']],
  ['ctest', ['ctest -S a.cmake', 'ctest --build-and-test a b']],
  ['gcc', ['gcc -wrapper ./x a.c', 'gcc -fplugin=./x.so a.c', 'gcc -B./x a.c', 'gcc -specs=x a.c']],
  ['clang-15', ['clang-15 -fpass-plugin=./x.so a.c', 'clang-15 -Xclang -load a.c']],
  ['deno', ['deno run a.ts', 'deno a.ts', 'deno']],
  ['guile', ['guile -c x', 'guile -e main a.scm', 'guile']],
  ['Rscript', ['Rscript -e x', 'Rscript --vanilla -e x']],
  ['octave', ['octave --eval x', 'octave --ev x']],
  ['gnuplot', ['gnuplot -e x', 'gnuplot -ex']],
  ['hg', ['hg --config alias.x=!sh x', 'hg --config=alias.x=!sh x', 'hg log --conf x=y', 'hg --cwd .. log']],
  ['perl', ['perl -e x', 'perl -ne x a', 'perl -MSocket -e x', ['perl', '-Mstrict;system(1)', 'a.pl'], 'perl -d:x a.pl']],
  ['ruby', ['ruby -e x', 'ruby -ne x', 'ruby -ropen3 a.rb']],
  ['php', ['php -r x', 'php -B x', 'php -d auto_prepend_file=x a.php', 'php -cx.ini a.php']],
  ['tsx', ['tsx --import ./x.ts a.ts', 'tsx -e x']],
  ['lua5.4', ['lua5.4 -e x', 'lua5.4 -lx a.lua']],
  ['pypy3', ['pypy3 -c x', 'pypy3 -m pdb a.py']],
  ['java', ['java -javaagent:x.jar A', 'java -XX:OnError=x A']],
  ['pandoc', ['pandoc --filter ./x a.md', 'pandoc -F ./x a.md', 'pandoc --lua-filter=x a.md', 'pandoc --pdf-engine=./x a.md']],
  ['fd', ['fd -x tool', 'fd -HX tool', 'fd --exec tool']],
  ['patch', ['patch -e a', 'patch --ed a']],
  ['openssl', ['openssl req -engine ./x.so', 'openssl list -provider-path .']],
  ['rustc', ['rustc -C linker=./x a.rs', 'rustc -Clinker=./x a.rs']],
  ['dune', ['dune exec tool']],
  ['conda', ['conda run tool', 'conda run -n a tool']],
]

/** The same programs, at honest work. */
const PLAIN: readonly (readonly [program: string, argv: readonly string[]])[] = [
  ['cmake', ['cmake -S . -B build -DCMAKE_BUILD_TYPE=Release', 'cmake --build build -j4']],
  ['ctest', ['ctest --test-dir build --output-on-failure']],
  ['gcc', ['gcc -O2 -Wall -o a a.c', 'gcc -c a.c -Iinclude']],
  ['deno', ['deno test', 'deno fmt --check', 'deno lint src']],
  ['guile', ['guile a.scm -c x']],
  ['Rscript', ['Rscript a.R', 'Rscript a.R -e x']],
  ['octave', ['octave a.m']],
  ['hg', ['hg log -l 3', 'hg status', 'hg commit -m x --close-branch']],
  ['perl', ['perl a.pl -e x', 'perl -w a.pl']],
  ['java', ['java -jar a.jar', 'java -cp /usr/share/java/a.jar A']],
  ['pandoc', ['pandoc a.md -o a.html']],
  ['fd', ['fd -H a src']],
  ['dune', ['dune build', 'dune runtest']],
  ['diff', ['diff -u a b']],
]

/** A lane of one rule, as somebody writes it who wants to be left alone. */
const CARELESS: readonly (readonly [title: string, rule: string, want: Effect, argv: readonly (string | readonly string[])[]])[] = [
  ['a bare rule does not cover inline code', "[python3, '*']", 'ask', ['python3 -c x', 'python3 -Ic x', 'python3', 'python3 - x']],
  ['nor a language in a word', "[awk, '*']", 'ask', ['awk BEGIN{system("x")}', 'awk -f a.awk']],
  ['nor find, sed, tar, vim', "[sed, '*']", 'ask', ['sed -n 1p a', 'sed 1e a']],
  ['nor a wrapper', "[timeout, '*']", 'ask', ['timeout 5 node a.js']],
  ['nor a wrapper that names itself', "[xargs, '*']", 'ask', ['xargs node', 'xargs -a f python3']],
  ...BARE.map(([program, argv]) => ['a bare rule covers no argument that chooses code', `[${program}, '*']`, 'ask', argv] as const),
  ...BARE.flatMap(([, argv]) =>
    argv
      .filter((one) => typeof one === 'string')
      .map(
        (one) =>
          [
            'a rule that says every word covers it',
            `[${one
              .split(' ')
              .map((word) => `'${word}'`)
              .join(', ')}]`,
            'allow',
            [one],
          ] as const,
      ),
  ),
  ...PLAIN.map(([program, argv]) => ['a bare rule covers what runs nothing of its arguments', `[${program}, '*']`, 'allow', argv] as const),
  ...['prlimit', 'setarch', 'linux64', 'x86_64', 'choom', 'fakeroot', 'xvfb-run', 'rlwrap', 'numactl', 'ssh-agent', 'bwrap', 'valgrind'].map(
    (program) => ['nor a shell behind a wrapper', `[${program}, '*']`, 'deny', [`${program} -- /bin/sh -c x`, `${program} env bash`]] as const,
  ),
  ...['systemd-run', 'start-stop-daemon', 'unshare', 'nsenter', 'chroot', 'busybox', 'ssh', 'rsync', 'yash'].map(
    (program) => ['nor what nobody can allow', `[${program}, '*']`, 'deny', [`${program} node a.js`]] as const,
  ),
  ['an option by name', "[cmake, -E, '*']", 'allow', ['cmake -E copy a b']],
  ['an option by another name', "[cmake, -E, '*']", 'ask', ['cmake -P a.cmake']],
  ['a verb by name', "[dune, exec, '*']", 'allow', ['dune exec ./a.exe']],
  ['a wrapper, every word said', '[prlimit, --nofile=64, node, a.js]', 'allow', ['prlimit --nofile=64 node a.js']],
  ['a query, every word said', '[sqlite3, a.db, .tables]', 'allow', ['sqlite3 a.db .tables']],
  ['make under another name', "[gmake, '*']", 'deny', ['gmake SHELL=/bin/x', 'gmake --eval=x', 'gmake -f x']],
  ['code in a URL, for whoever loads it', "[deno, '*']", 'deny', ['deno test data:text/javascript,x', 'deno run https://x/a.ts']],
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
