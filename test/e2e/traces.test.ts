/** What test runs leave behind: no cache of theirs outlives an edit, and nothing of theirs is in a commit. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { BACKENDS, call, makePlace, vpJson, writeFiles, type Cleanup } from './kit.ts'

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
