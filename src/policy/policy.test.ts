/**
 * The contract's vectors and an attack table: commands, paths, lanes, scopes. A third of the rows is legitimate work.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isVpError } from '../core/errors.ts'
import { decideCommand, matchesArgv, type Actor, type Effect } from './argv.ts'
import { explainCommand } from './explain.ts'
import { matchesPart, matchesPath } from './glob.ts'
import { isLaneName, laneFileAmong, narrow, type Lane } from './lane.ts'
import { checkExamples, laneToYaml, parseLaneYaml } from './lane-file.ts'
import { denyPath, type Intent } from './paths.ts'
import { scopeNamed, scopesOf, scopesOfToken } from './scopes.ts'
import { allShippedLanes, shippedLane } from './shipped-lanes.ts'
import { tokenizeCommand } from './tokenize.ts'

interface Vector {
  readonly id: string
  readonly function: string
  readonly input: unknown
  readonly expect: unknown
}
const { vectors } = JSON.parse(readFileSync(new URL('../../test/vectors/policy.json', import.meta.url), 'utf8')) as {
  vectors: Vector[]
}

function laneOf(name: string): Lane {
  assert.ok(isLaneName(name))
  return shippedLane(name)
}

function answer(vector: Vector): unknown {
  const input = vector.input as { lane: string; argv: string[]; path: string; op: string }
  if (vector.function === 'command_allowed') return decideCommand(input.argv, laneOf(input.lane), 'human').effect !== 'deny'
  if (vector.function === 'command_string_tokenizable') return tokenizeCommand(vector.input as string).ok
  if (vector.function === 'path_allowed') return denyPath(input.path, input.op === 'w' ? 'write' : 'read', laneOf('Code-Impl')) === null
  return undefined
}

for (const vector of vectors) {
  const got = answer(vector)
  if (got !== undefined) test(`vector ${vector.id}`, () => assert.deepEqual(got, vector.expect))
}

const code = shippedLane('Code-Impl')
const commands: Readonly<Record<Effect, readonly string[]>> = {
  allow: [
    'pytest',
    'pytest -q tests/a',
    'pytest -x -k name -m slow',
    'python3 -m pytest -q',
    'python -m unittest',
    'python3 tools/gen.py --fast',
    'node test/run.js',
    'node --test',
    'node --test src/a.test.ts',
    'node script.js -e x',
    'node --test --test-name-pattern=foo src/a.ts',
    'npm test',
    'npm test -- --bail',
    'npm run build',
    'npm run build -- --config x',
    'npm ci',
    'pnpm run lint',
    'yarn run build',
    'yarn install --immutable',
    'uv run pytest',
    'go test ./...',
    'go test -run X ./pkg',
    'go build ./...',
    'go vet ./...',
    'cargo build --locked',
    'cargo test --locked --release',
    'cargo fmt --check',
    'gradle test',
    'mvn -q test',
    'make',
    'make check',
    'make -j4 test',
    'ruff check .',
    'ruff format .',
    'mypy src',
    'black src',
    'git status',
    'git status --porcelain',
    'git diff',
    'git diff --cached',
    'git diff --text',
    'git log --oneline',
    'git log --grep=a|b',
    'git show HEAD:src/a.ts',
    'git branch --show-current',
    'git rev-parse HEAD',
    'git ls-files',
    'git blame a.ts',
    'git add src/a.ts',
    'git commit -m x',
    'git commit -s -m x',
  ],
  ask: [
    'node -e x',
    'node -p 1',
    'node -pe 1',
    'node --eval x',
    'node --eval=x',
    'node --print 1',
    'node',
    'node -',
    'node --no-warnings -e x',
    'node --test-reporter spec -e x',
    'node -i',
    'python -c x',
    'python3 -c x',
    'python3 -Bc x',
    'python -',
    'python3',
    'python3.12 -c x',
    'env',
    'env node a.js',
    'git push',
    'git push origin main',
  ],
  deny: [
    'bash',
    'bash -c ls',
    'sh -c ls',
    'sh a.sh',
    'zsh -i',
    'dash',
    'BASH -c x',
    'bash.exe',
    'bash5 -c x',
    'busybox sh',
    'pwsh -c x',
    'env bash -c x',
    'env A=1 sh',
    'env -S node',
    'env -i bash',
    'env /bin/bash',
    'xargs rm',
    'timeout 5 bash',
    'nice node a.js',
    'time ls',
    'nohup node a.js',
    'setsid node',
    'script -c x',
    './run.sh',
    '/bin/ls',
    '../x',
    'bin/node a.js',
    '-x',
    ' ',
    'eval x',
    'exec x',
    'source a',
    '.',
    'curl http://x',
    'wget x',
    'nc -l 1',
    'ssh h',
    'scp a b',
    'rsync a b',
    'telnet h',
    'socat a b',
    'sudo make',
    'su -',
    'doas x',
    'chown a b',
    'chmod +x a',
    'chmod 755 a',
    'chmod u+x a',
    'chmod a=rwx a',
    'kill 1',
    'pkill node',
    'killall node',
    'rm -rf .',
    'rm -r a',
    'rm -fR a',
    'rm --recursive a',
    'rm a',
    'rmdir a',
    'dd if=a',
    'shred a',
    'mkfs.ext4 x',
    'docker run x',
    'systemctl stop x',
    'crontab -e',
    'npm install',
    'npm install left-pad',
    'npm i x',
    'npm isntall x',
    'npm add x',
    'npm exec x',
    'npm x y',
    'npm publish',
    'npm config set a b',
    'npm explore a',
    'npm --prefix / test',
    'npm test --script-shell=/bin/sh',
    'npm run x --node-options=-r',
    'npm -g ci',
    'npx x',
    'pnpm add x',
    'pnpm dlx x',
    'pnpm install x',
    'yarn add x',
    'yarn dlx x',
    'yarn install x',
    'pip install x',
    'pip3 install x',
    'python -m pip install x',
    'python3 -mpip install x',
    'python -m http.server',
    'python -m venv x',
    'uv pip install x',
    'uv add x',
    'uv run bash',
    'uv run --with x pytest',
    'uvx x',
    'pipx run x',
    'gem install x',
    'cargo install x',
    'cargo build',
    'cargo +nightly build --locked',
    'cargo build --locked --config x',
    'cargo run',
    'go install x',
    'go get x',
    'go run .',
    'go test -exec=sh ./...',
    'go test -exec sh',
    'go build -toolexec=x',
    'go vet -vettool=x',
    'go build -overlay=x',
    'apt install x',
    'apt-get update',
    'brew install x',
    'node --inspect a.js',
    'node --inspect-brk=0 a.js',
    'node -r ./x a.js',
    'node --require ./x a.js',
    'node --require=./x a.js',
    'node --import ./x a.js',
    'node --loader x a.js',
    'node --experimental_loader x a.js',
    'node --env-file=.env a.js',
    'make -f x',
    'make -fx',
    'make -C /',
    'make --eval=x',
    'make SHELL=sh',
    'make CC=x all',
    'make A:=b',
    'pytest -p x',
    'pytest -c x',
    'pytest --rootdir=/',
    'find . -delete',
    'find . -exec x',
    'find .',
    'sed -i x',
    'awk x',
    'tar x',
    'cat a',
    'perl -e x',
    'ruby -e x',
    'php -r x',
    'node2 a.js http://169.254.169.254/',
    'node a.js http://169.254.169.254/',
    'node a.js METADATA.google.internal',
    'git',
    'git -c a=b status',
    'git -C / status',
    'git --git-dir=x status',
    'git --exec-path=x status',
    'git -p log',
    'git push --force',
    'git push -f',
    'git push -uf origin',
    'git push --force-with-lease',
    'git push --forc',
    'git push origin +main',
    'git push origin :main',
    'git push --delete origin x',
    'git push --mirror',
    'git push --receive-pack=x',
    'git push ext::sh',
    'git reset --hard',
    'git reset --har',
    'git reset --h HEAD~1',
    'git reset HEAD',
    'git clean -fd',
    'git clean -n',
    'git checkout -- .',
    'git checkout .',
    'git checkout -f',
    'git checkout main -- .',
    'git checkout main',
    'git restore .',
    'git switch -f x',
    'git stash drop',
    'git stash',
    'git branch -D x',
    'git branch new',
    'git rebase -i x',
    'git rebase --exec x',
    'git rebase main',
    'git filter-branch',
    'git config a b',
    'git commit',
    'git commit --amend',
    'git commit -m x --amend',
    'git commit -F /etc/passwd',
    'git commit -m x -F y',
    'git diff --output=x',
    'git diff --outp x',
    'git diff --no-index a b',
    'git diff --ext-diff',
    'git log --textconv',
    'git grep -O x',
    'git grep x',
    'git show --textconv',
    'git clone x',
    'git fetch',
    'git pull',
    'git submodule update',
    'git remote add x y',
    'git archive --output=x',
    'git bisect run x',
    'git worktree add x',
    'git am x',
    'git apply x',
    'git rm x',
    'git gc',
    'git reflog expire',
    'git update-ref x',
    'git hash-object x',
    'GIT status',
  ],
}
for (const [want, rows] of Object.entries(commands)) {
  test(`a person's commands: ${want} (${rows.length})`, () => {
    const wrong = rows.map((row) => [row, decideCommand(row.split(' '), code, 'human')] as const).filter(([, got]) => got.effect !== want)
    assert.deepEqual(
      wrong.map(([row, got]) => `${row}: ${got.effect} ${got.rule}`),
      [],
    )
  })
}

const shapes: readonly (readonly string[])[] = [
  [],
  [''],
  ['npm', 'test\0'],
  ['npm\n', 'test'],
  ['npm', '\x1b[2J'],
  ['npm', '\ud800'],
  Array.from({ length: 2000 }, () => 'a'),
  ['npm', 'x'.repeat(200_000)],
  ['gіt', 'status'],
]
test('argv of a wrong shape is denied', () => {
  for (const argv of shapes) assert.equal(decideCommand(argv, code, 'human').effect, 'deny')
})

test('an agent has no git and sets nothing up', () => {
  const actors: [Actor, string, Effect][] = [
    ['agent', 'git status', 'deny'],
    ['agent', 'git push', 'deny'],
    ['agent', 'npm ci', 'deny'],
    ['agent', 'yarn install', 'deny'],
    ['agent', 'uv sync', 'deny'],
    ['agent', 'npm test', 'allow'],
    ['agent', 'node -e x', 'ask'],
    ['agent', 'env git push', 'ask'],
    ['ci', 'npm ci', 'allow'],
    ['human', 'npm ci', 'allow'],
  ]
  for (const [actor, row, want] of actors) assert.equal(decideCommand(row.split(' '), code, actor).effect, want, `${actor}: ${row}`)
})

test('shipped rules hold their own examples, are allowed by their lane and deny shells', () => {
  for (const lane of allShippedLanes()) {
    for (const rule of lane.commands.allow) {
      assert.equal(checkExamples(rule), null)
      for (const argv of rule.match ?? []) assert.notEqual(decideCommand(argv, lane, 'human').effect, 'deny', `${rule.id}: ${argv.join(' ')}`)
      for (const argv of rule.notMatch ?? []) assert.ok(!matchesArgv(rule.argv, argv))
    }
    for (const shell of ['bash', 'sh']) assert.equal(decideCommand([shell, '-c', 'x'], lane, 'human').rule, 'global/no-shell')
    assert.equal(new Set(lane.commands.allow.map((rule) => rule.id)).size, lane.commands.allow.length)
    const again = parseLaneYaml(laneToYaml(lane))
    assert.deepEqual(
      again.commands.allow.map((rule) => [rule.id, rule.argv]),
      lane.commands.allow.map((rule) => [rule.id, rule.argv]),
    )
  }
})

const patterns: readonly (readonly [pattern: string, argv: string, want: boolean])[] = [
  ['a *', 'a', true],
  ['a *', 'a b c', true],
  ['a * c', 'a b c', true],
  ['a * c', 'a c', false],
  ['a b?', 'a', true],
  ['a b?', 'a b', true],
  ['a b?', 'a c', false],
  ['a b? c', 'a c', true],
  ['a --x=*', 'a --x=1', true],
  ['a --x=*', 'a --x', false],
  ['a *.py', 'a x.py', true],
  ['a *.py', 'a x.py y', false],
  ['a', 'a b', false],
  ['a b? c? *', 'a c d', true],
]
test('argv patterns', () => {
  for (const [pattern, argv, want] of patterns) assert.equal(matchesArgv(pattern.split(' '), argv.split(' ')), want, `${pattern} / ${argv}`)
})

const paths: readonly (readonly [path: string, intent: Intent, want: boolean])[] = [
  ['src/a.ts', 'write', true],
  ['./src/a.ts', 'write', true],
  ['a b/ü.md', 'write', true],
  ['.github/workflows/ci.yml', 'write', true],
  ['.gitignore', 'write', true],
  ['.gitattributes', 'write', true],
  ['environment.ts', 'write', true],
  ['src/keys.ts', 'write', true],
  ['docs/secrets-guide.md', 'write', true],
  ['.vp/project.json', 'read', true],
  ['.vscode/settings.json', 'read', true],
  ['node_modules/a/index.js', 'read', true],
  ['src/...a', 'write', true],
  ['', 'read', false],
  ['/etc/passwd', 'read', false],
  ['..', 'read', false],
  ['a/../b', 'read', false],
  ['a//b', 'read', false],
  ['a/./b', 'read', false],
  ['a/', 'read', false],
  ['C:/x', 'read', false],
  ['file:///x', 'read', false],
  ['a\0b', 'read', false],
  ['a\nb', 'write', false],
  ['\ud800', 'read', false],
  ['a\\..\\b', 'read', false],
  ['x'.repeat(256), 'read', false],
  ['x/'.repeat(3000) + 'y', 'read', false],
  ['.git', 'read', false],
  ['.git/config', 'read', false],
  ['a/.git/hooks/x', 'write', false],
  ['.GIT/config', 'write', false],
  ['.git./x', 'write', false],
  ['.git /x', 'write', false],
  ['.g\u200cit/x', 'write', false],
  ['\u2024git/x', 'write', false],
  ['.\uff47it/x', 'write', false],
  ['git~1/x', 'write', false],
  ['.git::$INDEX_ALLOCATION/x', 'write', false],
  ['.vp/policy.json', 'write', false],
  ['a/.VP/x', 'write', false],
  ['.vscode/tasks.json', 'write', false],
  ['.idea/x', 'write', false],
  ['.husky/pre-commit', 'write', false],
  ['.envrc', 'write', false],
  ['.mcp.json', 'write', false],
  ['.gitmodules', 'write', false],
  ['.claude/x', 'write', false],
  ['.cursor/x', 'write', false],
  ['.Codex/x', 'write', false],
  ['.env', 'read', false],
  ['.ENV', 'read', false],
  ['a/.env.local', 'write', false],
  ['server.pem', 'read', false],
  ['a.KEY', 'read', false],
  ['x.p12', 'read', false],
  ['id_rsa', 'read', false],
  ['id_ed25519.pub', 'read', false],
  ['secrets/x', 'read', false],
  ['a/Secrets/x', 'read', false],
  ['credentials.json', 'read', false],
  ['secrets.yaml', 'read', false],
  ['.ssh/config', 'read', false],
  ['.aws/x', 'read', false],
  ['.netrc', 'read', false],
  ['node_modules/a/x.js', 'write', false],
  ['.venv/x', 'write', false],
  ['a/__pycache__/x.pyc', 'write', false],
]
test(`paths (${paths.length})`, () => {
  const wrong = paths.filter(([path, intent, want]) => (denyPath(path, intent, code) === null) !== want)
  assert.deepEqual(wrong, [])
})

test('globs', () => {
  assert.ok(matchesPath('**/.env*', '.env') && matchesPath('**/.env*', 'a/b/.env.x') && !matchesPath('**/.env*', 'a/env'))
  assert.ok(matchesPath('**', 'a/b') && matchesPath('src/**', 'src/a/b') && !matchesPath('src/*', 'src/a/b') && matchesPath('**/secrets/**', 'secrets/x'))
  const before = process.threadCpuUsage()
  assert.ok(!matchesPart('a*'.repeat(50) + 'b', 'a'.repeat(20_000)))
  assert.ok(!matchesPath('**/a/'.repeat(20) + 'b', 'a/'.repeat(300) + 'c'))
  assert.ok(process.threadCpuUsage(before).user < 1_000_000, 'a second of processor time')
})

const LANE = `lane: Code-Impl
description: mine
commands:
  allow:
    - [node, '*']
    - id: inline
      argv: [node, -e, '*']
      match: [[node, -e, x]]
    - [npm, run, '*']
  deny:
    - [npm, run, deploy]
limits: { max_exec_seconds: 60 }
`
test('a lane file allows inline code by name only, and denies beat allows', () => {
  const lane = parseLaneYaml(LANE, 'mine.yaml')
  const named = decideCommand(['node', '-e', 'x'], lane, 'agent')
  assert.deepEqual([named.effect, named.rule, named.where?.line], ['allow', 'code-impl/inline', 6])
  assert.equal(decideCommand(['node', '-p', 'x'], lane, 'agent').effect, 'ask')
  assert.equal(decideCommand(['npm', 'run', 'deploy'], lane, 'human').effect, 'deny')
  assert.equal(decideCommand(['npm', 'run', 'x'], lane, 'human').effect, 'allow')
})

test('a repository narrows and never widens', () => {
  const user = shippedLane('Code-Impl')
  const repository = parseLaneYaml(LANE + 'network: { outbound: true }\nfs_ops: { patch_only: false, backups: false }\n')
  const both = narrow(user, repository)
  assert.equal(decideCommand(['node', '-e', 'x'], both, 'agent').effect, 'ask')
  assert.equal(decideCommand(['make', 'x'], both, 'human').effect, 'deny')
  assert.equal(decideCommand(['npm', 'run', 'x'], both, 'human').effect, 'allow')
  assert.equal(decideCommand(['npm', 'run', 'deploy'], both, 'human').effect, 'deny')
  assert.deepEqual(
    [both.network.outbound, both.fsOps.patchOnly, both.fsOps.backups, both.limits.maxExecSeconds, both.limits.maxMemMb],
    [false, true, true, 60, 8192],
  )
  assert.notEqual(denyPath('a/x.pem', 'read', both), null)
})

const badLanes: readonly (readonly [title: string, yaml: string, line: number])[] = [
  ['an anchor', 'lane: A\ndescription: &x y\ncommands: {}\n', 2],
  ['an alias', 'lane: &a B\ndescription: *a\ncommands: {}\n', 1],
  ['an unknown member', 'lane: A\ncommands: {}\nshell: true\n', 3],
  ['a key twice', 'lane: A\nlane: B\ncommands: {}\n', 2],
  ['no commands', 'lane: A\n', 1],
  ['a pattern that is text', 'lane: A\ncommands:\n  allow:\n    - npm test\n', 4],
  ['a root above', 'lane: A\nworkspace_roots: [../x]\ncommands: {}\n', 2],
  ['an example that misses', 'lane: A\ncommands:\n  allow:\n    - argv: [a]\n      match: [[b]]\n', 4],
  ['a rule for any program', "lane: A\ncommands:\n  allow:\n    - [make]\n    - ['*', '*']\n", 5],
  ['a rule for programs that begin alike', "lane: A\ncommands:\n  allow:\n    - ['py*', x]\n", 4],
  ['a rule for a program by its path', 'lane: A\ncommands:\n  allow:\n    - argv: [./x]\n', 4],
  ['too large', `lane: A\n#${'x'.repeat(70_000)}\n`, 1],
  ['not YAML', 'lane: [\n', 2],
  ['a tag', 'lane: !!js/function x\ncommands: {}\n', 1],
  ['nothing', '', 1],
]
for (const [title, yaml, line] of badLanes) {
  test(`lane file refused: ${title}`, () => {
    assert.throws(
      () => parseLaneYaml(yaml, 'l.yaml'),
      (thrown) => isVpError(thrown) && thrown.code === 'policy.invalid' && thrown.details.where?.line === line && thrown.details.where.file === 'l.yaml',
    )
  })
}

test('scopes', () => {
  for (const scope of ['projects.approve', 'budget.override', 'git.push', 'secrets.read'] as const) {
    assert.ok(!scopesOf('agent').has(scope))
    assert.ok(!scopesOfToken('agent', [scope]).has(scope))
    assert.ok(scopesOf('human').has(scope))
  }
  assert.ok(!scopesOf('ci').has('git.push') && scopesOfToken('ci', ['git.push']).has('git.push'))
  assert.equal(scopeNamed('projects.budget'), 'budget.override')
  assert.equal(scopeNamed('toString'), null)
})

test('explain', () => {
  const allowed = explainCommand(['npm', 'run', 'build'], code, { actor: 'human', box: 'bwrap' })
  assert.deepEqual([allowed.effect, allowed.rule, allowed.shipped, allowed.file], ['allow', 'code-impl/npm-run', 'Code-Impl', null])
  assert.deepEqual(allowed.terms, ['bwrap', 'no network', '900s'])
  for (const [argv, rule, nearest] of [
    [['git', 'push'], 'global/git-push', 'vp git push, by a person with the scope git.push'],
    [['git', 'add', '.'], 'global/git-data', 'vp git commit -m MESSAGE PATH'],
  ] as const) {
    const own = explainCommand(argv, code, { actor: 'human' })
    assert.deepEqual([own.effect, own.rule, own.nearest], ['deny', rule, nearest], 'what the lane allows and a command cannot do')
  }
  const denied = explainCommand(['git', 'push', '--force'], code, { actor: 'human' })
  assert.deepEqual(
    [denied.rule, denied.reason, denied.nearest, denied.shipped, denied.terms],
    ['global/git-force', 'shipped; no lane and no flag can allow it', 'vp git push, by a person with the scope git.push', null, []],
  )
})

const OWN = parseLaneYaml("lane: Code-Impl\ncommands:\n  allow:\n    - [npm, run, '*']\n    - [node, '*']\n  deny:\n    - [npm, run, deploy]\n", 'own.yaml')
const THEIRS = parseLaneYaml("lane: Code-Impl\ncommands:\n  allow:\n    - [node, '*']\n    - [pytest, '*']\n", '.vp/lanes/code-impl.yaml')
const places: [title: string, argv: string[], lane: Lane, place: string | null][] = [
  ['a rule of the user', ['npm', 'run', 'build'], OWN, 'own.yaml:4'],
  ['a denial of the user', ['npm', 'run', 'deploy'], OWN, 'own.yaml:7'],
  ['no rule of the user', ['make', 'all'], OWN, 'own.yaml:4'],
  ['inline code', ['node', '-e', '1'], OWN, 'own.yaml:4'],
  ['the user allows, the repository has no rule', ['npm', 'run', 'build'], narrow(OWN, THEIRS), '.vp/lanes/code-impl.yaml:4'],
  ['the repository allows, the user has no rule', ['pytest'], narrow(OWN, THEIRS), 'own.yaml:4'],
  ['both allow: the repository’s rule is named', ['node', 'a.js'], narrow(OWN, THEIRS), '.vp/lanes/code-impl.yaml:4'],
  ['the shipped lane', ['node', 'a.js'], code, null],
  ['the shipped lane has no rule', ['frobnicate'], code, null],
]
for (const [title, argv, lane, place] of places)
  test(`explain: where it stands, ${title}`, () => {
    const { file, line, shipped } = explainCommand(argv, lane, { actor: 'human' })
    assert.equal(file === null ? null : `${file}:${line}`, place)
    assert.equal(shipped, place === null ? 'Code-Impl' : null)
  })

test('a repository may take values from commands, never give them', () => {
  const lane = (secrets: string): Lane => parseLaneYaml(`lane: Code-Impl\n${secrets}commands: { allow: [[node, '*']] }\n`)
  const gives = lane('secrets: { restore: true }\n')
  const takes = lane('secrets: { restore: false }\n')
  const silent = lane('')
  assert.equal(narrow(gives, silent).restoreSecrets, true)
  assert.equal(narrow(gives, gives).restoreSecrets, true)
  assert.equal(narrow(gives, takes).restoreSecrets, false)
  assert.equal(narrow(silent, gives).restoreSecrets, false)
  assert.equal(narrow(takes, gives).restoreSecrets, false)
  assert.equal(parseLaneYaml(laneToYaml(gives)).restoreSecrets, true)
})

test('a lane file is read by whatever name says its lane; one that nobody would read is refused', () => {
  const among = (names: readonly string[]) => laneFileAmong(names, 'Code-Impl', (name) => `.vp/lanes/${name}`)
  assert.equal(among([]), null)
  assert.equal(among(['narrative.yaml', 'README.md']), null)
  for (const name of ['code-impl.yaml', 'Code-Impl.yaml', 'CODE-IMPL.yml']) assert.equal(among(['narrative.yaml', name]), name)
  assert.throws(() => among(['code-impl.yaml', 'Code-Impl.yaml']), { code: 'policy.invalid', message: /Code-Impl\.yaml:1: .*code-impl\.yaml too/ })
  assert.throws(() => among(['code.yaml']), { code: 'policy.invalid', message: /^\.vp\/lanes\/code\.yaml:1: it is named for no lane/ })
})
