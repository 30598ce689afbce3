/**
 * The demo as a stranger sees it: `vp demo` as its own process, in a zone, a language and a home that nobody recorded
 * in. What it claims is asked of git, of the sample's own tests and of the ledger again.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { recordDemo, RECORDING } from '../examples/calculator-demo/record.ts'
import { parseTrailers } from '../src/ledger/passport.ts'
import { BACKENDS, DEEP, git, processesWith, vpJson } from './e2e/kit.ts'
import { stranger, typed } from './e2e/stranger.ts'

interface Demo {
  readonly directory: string
  readonly state: string
  readonly run_id: string
  readonly tasks: readonly { readonly n: number; readonly lane: string; readonly status: string; readonly attempts: number }[]
  readonly at_once: readonly number[]
  readonly gates: { readonly held: number; readonly of: number }
  readonly commits: readonly string[]
  readonly verified: { readonly unaltered: boolean; readonly complete: boolean; readonly receipts: number }
  readonly look: readonly string[]
}

for (const backend of BACKENDS) {
  test(`the demo goes the whole way, ${backend ?? 'best backend'}`, async (t) => {
    // As in CI, where a person's own projects are not signed by who runs them, and this sample is.
    const place = stranger(t, { CI: '1', ...(backend ? { VP_SANDBOX: backend } : {}) })
    const { code, doc, stderr } = await vpJson(place, ['demo'])
    assert.equal(code, 0, JSON.stringify(doc.error) + stderr)
    const demo = doc.result as unknown as Demo
    const inDemo = { ...place, repository: demo.directory }

    assert.ok(demo.tasks.length >= 4 && demo.tasks.every((task) => task.status === 'succeeded'))
    assert.ok(new Set(demo.tasks.map((task) => task.lane)).size >= 3)
    assert.deepEqual(demo.at_once, [1, 2])
    assert.deepEqual(
      demo.tasks.filter((task) => task.attempts !== 1).map((task) => task.attempts),
      [2],
    )
    assert.ok(demo.gates.of > 0 && demo.gates.held === demo.gates.of)

    const [papers, ...work] = git(inDemo, 'log', '--format=%H', `-${demo.tasks.length + 1}`).split('\n')
    const trailers = (commit = '') => parseTrailers(git(inDemo, 'show', '-s', '--format=%B', commit))
    assert.deepEqual(work.map((commit) => trailers(commit)?.task).toSorted(), demo.tasks.map((task) => `T${task.n}`).toSorted())
    for (const commit of [papers, ...work]) assert.equal(trailers(commit)?.run, demo.run_id)
    const committed = git(inDemo, 'ls-tree', '--name-only', 'HEAD', `.vp/runs/${demo.run_id}/`).split('\n')
    assert.deepEqual(
      committed.map((path) => path.split('/').at(-1)),
      ['artifact_manifest.json', 'replay_passport.json'],
    )
    assert.equal(git(inDemo, 'status', '--porcelain'), '')
    assert.equal(git(inDemo, 'log', '-1', '--format=%an'), 'vp demo', 'nobody has a name here, so the demo has one')

    const final = join(place.root, 'final')
    git(inDemo, 'clone', '--quiet', demo.directory, final)
    const tests = execFileSync('node', ['--test', '--test-reporter=tap'], { cwd: final, env: place.env, encoding: 'utf8' })
    assert.match(tests, /^# pass 20$/m)
    assert.match(tests, /^# fail 0$/m)

    // What needs a yes or a minute is left out; each of the others must work as it stands there.
    const shown = typed(place, demo.look.filter((line) => line !== 'vp undo' && line !== 'vp replay').concat(`vp verify ${demo.run_id}`))
    assert.match(shown, /^ {4}VP-Task: T6$/m)
    assert.match(shown, /^no violation · 9 of 9 gates hold/m)
    assert.match(shown, /^unaltered .*\ncomplete /m)
    assert.deepEqual(readdirSync(join(place.root, 'home')), [], 'nothing was left in the home')
    assert.deepEqual(processesWith(place.root), [])
  })
}

test('a directory that holds something is not touched', async (t) => {
  const place = stranger(t)
  const directory = join(place.root, 'mine')
  mkdirSync(directory)
  writeFileSync(join(directory, 'a.txt'), 'mine\n')
  const { code, doc } = await vpJson(place, ['demo'], { env: { VP_DEMO_DIR: directory } })
  assert.equal(code, 2)
  assert.match(doc.error?.message ?? '', /is not empty/)
  assert.deepEqual(readdirSync(directory), ['a.txt'])
  assert.ok(!existsSync(place.state))
})

test('the recording is what the recorder makes', { skip: !DEEP && 'only when deep: it plays the whole demo live' }, async () => {
  assert.equal(await recordDemo(), readFileSync(RECORDING, 'utf8'))
})
