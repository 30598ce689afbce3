/** `npm test` as people write it for node:test: measured test by test, by the Node of the person and by the newest, and red where it is red. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { approvedProject, call, git, makePlace, turnOf, vp, vpJson, writeFiles, type Place } from '../e2e/kit.ts'

const manifest = (script: string) => `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: script } }, null, 2)}\n`
const FILES = {
  'test/add.test.mjs': "import { test } from 'node:test'\n\ntest('adds', () => {})\ntest('is red', () => {\n  throw new Error('no')\n})\n",
  // A runner that a test starts writes its own report, and leaves the outer one alone.
  'test/own.test.mjs': `import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

test('starts a runner', () => {
  const { NODE_TEST_CONTEXT, ...env } = process.env
  const { stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', 'inner.mjs'], { env, encoding: 'utf8' })
  assert.match(stdout, /^TAP[^]*ok 1 - inner/)
})
`,
  'inner.mjs': "import { test } from 'node:test'\n\ntest('inner', () => {})\n",
}
const SCRIPTS = [
  'node --test',
  'node --test test/*.test.mjs',
  'node --test test/add.test.mjs test/own.test.mjs',
  'node --test --test-reporter=spec',
  "node --test '--test-reporter=spec' test/*.test.mjs",
  'node --test --test-reporter spec --test-reporter-destination stdout test/*.test.mjs',
  'node --test --test-reporter=spec --test-reporter=dot --test-reporter-destination=stdout --test-reporter-destination=stderr',
]

/** `node` of the PATH, and the one that vp itself runs on. */
const NODES = [process.env['PATH'] ?? '', `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`]

async function measure(place: Place, script: string): Promise<unknown> {
  writeFiles(place.repository, { 'package.json': manifest(script) })
  git(place, 'commit', '-qam', script)
  const { doc } = await vpJson(place, ['run', 'test'])
  return [doc.result?.['passed'], doc.result?.['failed'], doc.result?.['exit_code']]
}

for (const PATH of NODES)
  test(`scripts of node:test are measured by Node ${spawnSync('node', ['-v'], { env: { PATH }, encoding: 'utf8' }).stdout.trim()}`, async (t) => {
    const place = makePlace(t, { ...FILES, 'package.json': manifest('echo') }, undefined, { PATH })
    for (const script of SCRIPTS) assert.deepEqual(await measure(place, script), [2, 1, 1], script)
  })

test('what is kept of such a script is measured again, with arguments of its own, and nothing but reporters is taken from the file', async (t) => {
  const place = makePlace(t, { ...FILES, 'package.json': manifest('node --test test/add.test.mjs') })
  assert.equal((await vp(place, ['new', '--name', 'cart'])).code, 0)
  const more = await vpJson(place, ['run', 'test', '--', 'test/own.test.mjs'])
  assert.deepEqual([more.doc.result?.['passed'], more.doc.result?.['failed']], [2, 1])
  const path = join(place.repository, '.vp', 'project.json')
  const file = readFileSync(path, 'utf8')
  writeFiles(place.repository, { '.vp/project.json': file.replace('"--test-reporter=tap"', '"--require=./inner.mjs"') })
  const { doc } = await vpJson(place, ['run', 'test'])
  assert.equal(doc.error?.code, 'config.invalid')
  assert.match(doc.error?.message ?? '', /NODE_OPTIONS/)
})

test('a planned run whose test command ends badly without a report, before and after, fails and is not completed', async (t) => {
  const turns: readonly ScriptedAnswer[] = [call('edit', { path: 'add.js', old: '1', new: '2' }), call('submit', { title: 'fix: two', summary: 'Two.' })]
  const server = await startScriptedServer((request) => turns[Math.min(turnOf(request).turn, turns.length) - 1] ?? { text: '' })
  t.after(() => void server.close())
  const files = {
    'package.json': manifest('node --test --no-such-option'),
    'add.js': 'export const one = 1\n',
    'PRD.md': '# Cart\n\nIt adds.\n\n## Tasks\n\n1. Mend add (lane: Code-Impl; complexity: simple; files: add.js)\n',
  }
  const place = await approvedProject(t, files, server)
  const before = git(place, 'rev-parse', 'main')
  const started = await vp(place, ['start'])
  assert.equal(started.code, 3, started.stdout)
  assert.match(`${started.stdout}${started.stderr}`, /the runner wrote no report/)
  assert.equal((await vp(place, ['complete'])).code, 3)
  assert.equal(git(place, 'rev-parse', 'main'), before)
})
