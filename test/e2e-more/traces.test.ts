/** What test runs leave behind: no cache of theirs outlives an edit, and nothing of theirs is in a commit. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { BACKENDS, call, git, makePlace, receiptsOf, vp, vpJson, writeFiles, type Cleanup } from '../e2e/kit.ts'

const EDIT = call('edit', { path: 'calc.py', old: 'a - b', new: 'a + b' })
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const PYTHON = {
  'calc.py': 'def add(a, b):\n    return a - b\n',
  'test_calc.py': 'import unittest\nimport calc\n\n\nclass Adds(unittest.TestCase):\n    def test_adds(self):\n        self.assertEqual(calc.add(2, 3), 5)\n',
}
/** The system's own, which every backend shows. */
const PATH = { PATH: `/usr/bin:/bin:${process.env['PATH'] ?? ''}` }

async function serve(t: Cleanup, answers: readonly ScriptedAnswer[]) {
  const server = await startScriptedServer((_request, n) => answers[n - 1] ?? SUBMIT)
  t.after(() => void server.close())
  return server
}

for (const backend of BACKENDS)
  test(`python: an edit of the same length in the same second is what the tests see (${backend ?? 'the backend of this machine'})`, async (t) => {
    // One red run before the edit compiles the old source; three trials, as a second may just end in one.
    for (let trial = 0; trial < 3; trial++) {
      const place = makePlace(
        t,
        { ...PYTHON, '.gitignore': '__pycache__/\n' },
        await serve(t, [call('test', {}), EDIT, call('test', {})]),
        backend ? { ...PATH, VP_SANDBOX: backend } : PATH,
      )
      const { code, doc } = await vpJson(place, ['do', 'fix add', '--test', 'python3 -m unittest'])
      assert.equal(code, 0, JSON.stringify(doc))
    }
  })

test('caches of tools lie outside of the tree, in the temporary directory of the command', async (t) => {
  const place = makePlace(t, PYTHON, undefined, PATH)
  const script = 'import os; print(os.environ["MYPY_CACHE_DIR"], os.environ["RUFF_CACHE_DIR"], os.environ["PYTEST_ADDOPTS"])\n'
  writeFiles(place.repository, { 'show.py': `import calc\n${script}` })
  const { code, doc } = await vpJson(place, ['run', 'exec', '--', 'python3', 'show.py'])
  assert.equal(code, 0, JSON.stringify(doc))
  assert.match(String(doc.result?.['output']), /^\/tmp\/vp\/mypy \/tmp\/vp\/ruff -o cache_dir=\/tmp\/vp\/pytest$/m)
  assert.deepEqual(doc.result?.['writes'], [])
})

/** A test that writes beside the sources, and over a tracked file; an import by the test of a module that nobody wrote. */
const UNTIDY = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'count.txt': '0\n',
  'add.test.js': [
    "import assert from 'node:assert/strict'",
    "import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'",
    "import { test } from 'node:test'",
    "import { add } from './add.js'",
    '',
    "mkdirSync('coverage/deep', { recursive: true })",
    "writeFileSync('coverage/deep/lcov.info', 'x')",
    "appendFileSync('count.txt', '1\\n')",
    "test('adds', () => assert.equal(add(2, 3), 5))",
    "test('the tree is that of the commit', () => assert.equal(readFileSync('count.txt', 'utf8'), '0\\n1\\n'))",
    '',
  ].join('\n'),
  'make.js':
    "import { mkdirSync, writeFileSync } from 'node:fs'\nmkdirSync('.pytest_cache')\nwriteFileSync('.pytest_cache/x', '')\nwriteFileSync('made.js', '')\n",
}

for (const backend of BACKENDS)
  test(`a commit holds what the task wrote and ran, not what its tests left behind (${backend ?? 'the backend of this machine'})`, async (t) => {
    const turns = [call('test', {}), call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' }), call('run', { argv: ['node', 'make.js'] }), call('test', {})]
    const place = makePlace(t, UNTIDY, await serve(t, turns), backend ? { VP_SANDBOX: backend } : {})
    const before = git(place, 'rev-parse', 'main')
    const { code, doc } = await vpJson(place, ['do', 'fix add'])
    assert.equal(code, 0, JSON.stringify(doc))
    const [commit = ''] = (doc.result?.['commits'] ?? []) as unknown as string[]
    assert.deepEqual(git(place, 'diff', '--name-only', before, commit).split('\n'), ['add.js', 'made.js'])
    const left = (await receiptsOf(place)).flatMap((one) => one.detail?.left_out ?? [])
    assert.deepEqual([...new Set(left)], ['count.txt', 'coverage/deep/lcov.info'])
    assert.equal((await vpJson(place, ['replay'])).code, 0)
  })

const IGNORING = {
  '.gitignore': 'config.json\ncoverage/\n',
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': "import { readFileSync } from 'node:fs'\nexport const add = (a, b) => (JSON.parse(readFileSync('config.json', 'utf8')).plus ? a + b : a - b)\n",
  'add.test.js': [
    "import assert from 'node:assert/strict'",
    "import { mkdirSync } from 'node:fs'",
    "import { test } from 'node:test'",
    "import { add } from './add.js'",
    '',
    "mkdirSync('coverage', { recursive: true })",
    "test('adds', () => assert.equal(add(2, 3), 5))",
    '',
  ].join('\n'),
}

test('a file that git ignores proves nothing of the commit: the gate measures without it, and says so', async (t) => {
  const toldBefore = 'The commit will not have what you made at config.json as it is here'
  const turns = [
    call('write', { path: 'config.json', content: '{"plus":true}\n' }),
    call('edit', { path: 'add.js', old: '? a + b', new: '? b + a', test: true }),
    SUBMIT,
    call('write', { path: 'add.js', content: 'export const add = (a, b) => a + b\n' }),
    call('test', {}),
    SUBMIT,
  ]
  const server = await serve(t, turns)
  const place = makePlace(t, IGNORING, server)
  const { code, doc } = await vpJson(place, ['do', 'fix add'])
  assert.equal(code, 0, JSON.stringify(doc))
  const [third, fourth] = [2, 3].map((at) => JSON.stringify(server.requests[at]))
  assert.ok(third?.includes(toldBefore), 'the model hears of it with the tests that pass')
  assert.match(third ?? '', /1 passed|pass 1/)
  assert.ok(fourth?.includes(toldBefore), 'and with the gate that did not pass')
  const receipts = await receiptsOf(place)
  assert.deepEqual(
    receipts.filter(({ op }) => op === 'run.test').map(({ detail }) => detail?.ignored ?? []),
    [['config.json'], []],
  )
  const gates = receipts.filter(({ op, attempt }) => op === 'gate.tests' && (attempt ?? 0) > 0)
  assert.equal(gates.length, 2)
  assert.equal(gates[0]?.detail?.reused_from, undefined, 'measured anew, on the files of the commit')
  assert.ok(gates[1]?.detail?.reused_from, 'what only tests leave in ignored places is no reason to measure again')
  assert.equal((await vpJson(place, ['replay'])).code, 0)
})

test('what a killed vp had open is swept by doctor, which says what runs keep', async (t) => {
  const place = makePlace(t, { ...PYTHON, 'slow.py': 'import time; time.sleep(60)\n' }, await serve(t, [EDIT]), PATH)
  assert.equal((await vpJson(place, ['do', 'fix add', '--test', 'python3 -m unittest'])).code, 0)
  const tmp = join(place.state, 'tmp')
  const left = () => readdirSync(tmp).filter((name) => /^(?:run|git|held)-vp-/.test(name))
  assert.deepEqual(left(), [])
  const killed = vp(place, ['run', 'exec', '--', 'python3', 'slow.py'], {
    onSpawn: (child) => {
      const look = setInterval(() => {
        if (!left().some((name) => name.startsWith('git-'))) return
        clearInterval(look)
        child.kill('SIGKILL')
      }, 20)
    },
  })
  assert.equal((await killed).signal, 'SIGKILL')
  const names = left()
  assert.ok(names.length >= 2, names.join())
  const { doc } = await vpJson(place, ['doctor'])
  const checks = doc.result?.['checks'] as unknown as { name: string; status: string; detail: string }[]
  assert.match(checks.find(({ name }) => name === 'tmp')?.detail ?? '', /^\d+ directories of vp processes that were killed removed$/)
  assert.match(checks.find(({ name }) => name === 'runs')?.detail ?? '', /^1 run, 1 MB in \S+runs, kept for validate, replay and export/)
  for (const name of names) assert.ok(!existsSync(join(tmp, name)), name)
})
