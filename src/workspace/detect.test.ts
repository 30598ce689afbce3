import assert from 'node:assert/strict'
import { test } from 'node:test'
import { detectProject } from './detect.ts'

const cases: [title: string, files: Record<string, string>, test: string | null, format: string | null, lint: string | null, reuse: string[]][] = [
  ['node:test', { 'package.json': '{"scripts":{"test":"node --test","lint":"oxlint"}}' }, 'npm test --silent', 'tap', 'npm run --silent lint', []],
  [
    'vitest with dependencies',
    { 'package.json': '{"scripts":{"test":"vitest"},"devDependencies":{"vitest":"3"}}', 'package-lock.json': '{}' },
    'npm test --silent',
    'junit',
    null,
    ['node_modules'],
  ],
  [
    'a script with a shell in it is only its exit status',
    { 'package.json': '{"scripts":{"test":"tsc && node --test"}}' },
    'npm test --silent',
    'exit',
    null,
    [],
  ],
  ['npm init has no tests', { 'package.json': '{"scripts":{"test":"echo \\"Error: no test specified\\" && exit 1"}}' }, null, null, null, []],
  ['pytest', { 'pyproject.toml': '[tool.pytest.ini_options]\n[tool.ruff]' }, 'python3 -m pytest -q', 'junit', 'ruff check .', []],
  ['pytest with requirements', { 'test_a.py': '', 'requirements.txt': '' }, '.venv/bin/python -m pytest -q', 'junit', null, ['.venv']],
  ['go', { 'go.mod': 'module x' }, 'go test ./...', 'go-json', 'go vet ./...', []],
  ['cargo', { 'Cargo.toml': '' }, 'cargo test --offline', 'cargo', null, []],
  ['make', { Makefile: 'test: x\n\tsh t\nlint:\n\tl' }, 'make -s test', 'exit', 'make -s lint', []],
  ['a broken package.json', { 'package.json': '{' }, null, null, null, []],
  ['a package.json that is no object', { 'package.json': 'null' }, null, null, null, []],
  [
    'workspaces, one with packages of its own',
    {
      'package.json': '{"workspaces":["packages/*"],"scripts":{"test":"node --test"}}',
      'package-lock.json':
        '{"packages":{"":{},"node_modules/a":{"link":true},"node_modules/x/node_modules/y":{},"packages/a":{},"packages/a/node_modules/@s/x":{}}}',
    },
    'npm test --silent',
    'tap',
    null,
    ['node_modules', 'packages/a/node_modules'],
  ],
  [
    'packages that git tracks need no set-up',
    { 'package.json': '{"dependencies":{"a":"1"}}', 'package-lock.json': '{}', 'node_modules/a/index.js': '' },
    null,
    null,
    null,
    [],
  ],
  ['nothing', {}, null, null, null, []],
]
for (const [title, files, testArgv, format, lint, reuse] of cases)
  test(`detects ${title}`, () => {
    const found = detectProject({ list: Object.keys(files), read: (path) => files[path] ?? null })
    assert.deepEqual(
      [found.test?.argv.join(' ') ?? null, found.test?.report.format ?? null, found.lint?.argv.join(' ') ?? null, found.environment.reuse],
      [testArgv, format, lint, reuse],
    )
  })

const nodeTests: [script: string, format: string, report: string][] = [
  ['node --test', 'tap', '--test-reporter=tap'],
  ['node --test --experimental-strip-types', 'tap', '--test-reporter=tap'],
  ['node --test test/', 'tap', 'NODE_OPTIONS --test-reporter=tap --test-reporter-destination={report}'],
  ['node --test --test-reporter=spec', 'tap', 'NODE_OPTIONS --test-reporter=tap --test-reporter-destination={report} --test-reporter-destination=stdout'],
  ['node --test --test-reporter spec --test-reporter-destination out t/', 'tap', 'NODE_OPTIONS --test-reporter=tap --test-reporter-destination={report}'],
  ['node --test --test-reporter-destination=out', 'exit', ''],
  ['node --test test/ && echo', 'exit', ''],
  ['node --test-only x.js', 'exit', ''],
]
for (const [script, format, report] of nodeTests)
  test(`how it reports: ${script}`, () => {
    const found = detectProject({ list: ['package.json'], read: () => JSON.stringify({ scripts: { test: script } }) }).test
    assert.deepEqual([found?.report.format, [...(found?.report_in ? [found.report_in] : []), ...(found?.report_args ?? [])].join(' ')], [format, report])
  })

const builds: [title: string, files: Record<string, string>, build: string | null][] = [
  ['a script of package.json', { 'package.json': '{"scripts":{"build":"tsc"}}', Makefile: 'build:\n\tcc' }, 'npm run --silent build'],
  ['a target of make', { Makefile: 'build: x\n\tcc' }, 'make -s build'],
  ['go', { 'go.mod': 'module x' }, 'go build ./...'],
  ['cargo, without the network', { 'Cargo.toml': '' }, 'cargo build --offline'],
  ['nothing', { 'package.json': '{"scripts":{"test":"node --test"}}' }, null],
]
for (const [title, files, build] of builds)
  test(`finds the build: ${title}`, () =>
    assert.equal(detectProject({ list: Object.keys(files), read: (path) => files[path] ?? null }).build?.argv.join(' ') ?? null, build))

const setups: [title: string, files: Record<string, string>, setup: string[], locks: string[]][] = [
  ['npm', { 'package.json': '{"dependencies":{"a":"1"}}', 'package-lock.json': '{}' }, ['npm ci --no-audit --no-fund'], ['package-lock.json']],
  [
    'requirements are installed, not only given a place',
    { 'requirements.txt': '', 'requirements-dev.txt': '' },
    ['python3 -m venv .venv', '.venv/bin/python -m pip install -r requirements.txt -r requirements-dev.txt'],
    ['requirements.txt', 'requirements-dev.txt'],
  ],
  ['uv', { 'uv.lock': '', 'requirements.txt': '' }, ['uv sync --frozen'], ['uv.lock']],
]
for (const [title, files, setup, locks] of setups)
  test(`finds the set-up: ${title}`, () => {
    const { environment } = detectProject({ list: Object.keys(files), read: (path) => files[path] ?? null })
    assert.deepEqual([environment.setup.map((argv) => argv.join(' ')), environment.lock_files], [setup, locks])
  })

const venvs: [title: string, tracked: Record<string, string>, there: string[], python: string, reuse: string[], locks: string[]][] = [
  ['pyproject.toml alone', { 'pyproject.toml': '[tool.pytest]' }, ['.venv/bin/python'], '.venv/bin/python', ['.venv'], ['pyproject.toml']],
  ['poetry', { 'pyproject.toml': '[tool.pytest]', 'poetry.lock': '' }, ['.venv/bin/python'], '.venv/bin/python', ['.venv'], ['poetry.lock']],
  [
    'requirements, in a directory of another name',
    { 'test_a.py': '', 'requirements.txt': '' },
    ['venv/bin/python'],
    'venv/bin/python',
    ['venv'],
    ['requirements.txt'],
  ],
  ['without any list of packages', { 'test_a.py': '' }, ['venv/bin/python'], 'venv/bin/python', ['venv'], []],
  ['none is there', { 'pyproject.toml': '[tool.pytest]' }, [], 'python3', [], []],
  ['one that git tracks', { 'test_a.py': '', '.venv/bin/python': '' }, ['.venv/bin/python'], 'python3', [], []],
]
for (const [title, files, there, python, reuse, locks] of venvs)
  test(`finds the virtual environment: ${title}`, () => {
    const found = detectProject({ list: Object.keys(files), read: (path) => files[path] ?? null, isThere: (path) => there.includes(path) })
    assert.deepEqual([found.test?.argv[0], found.environment.reuse, found.environment.lock_files], [python, reuse, locks])
  })

test('a package below src is found where its tests run, unless the project says where itself', () => {
  const args = (pyproject: string) =>
    detectProject({ list: ['src/a/__init__.py', 'pyproject.toml'], read: (path) => (path === 'pyproject.toml' ? pyproject : null) }).test?.report_args ?? []
  assert.ok(args('[tool.pytest.ini_options]').includes('pythonpath=src'))
  assert.ok(!args('[tool.pytest.ini_options]\npythonpath = ["src"]').includes('pythonpath=src'))
})

const askers: [title: string, files: Record<string, string>, needs: boolean][] = [
  ['a script that calls git', { 'package.json': '{"scripts":{"test":"git diff --exit-code && node --test"}}' }, true],
  ['a version that comes from git', { 'pyproject.toml': '[build-system]\nrequires = ["setuptools-scm>=8"]\n' }, true],
  ['a word that is not git', { 'package.json': '{"scripts":{"test":"node --test test/git hub.js"}}' }, false],
  ['nothing of the kind', { 'package.json': '{"scripts":{"test":"node --test"}}' }, false],
]
for (const [title, files, needs] of askers)
  test(`finds whether the tests ask git: ${title}`, () =>
    assert.equal(detectProject({ list: Object.keys(files), read: (path) => files[path] ?? null }).needs_git, needs))
