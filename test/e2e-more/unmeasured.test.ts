/** A run whose tests could not be measured proves nothing: `vp do` says so and leaves the branch alone, a planned run says what it could not measure. */
import assert from 'node:assert/strict'
import { rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { approvedProject, call, git, makePlace, turnOf, vp, vpJson, type Cleanup, type Place } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5))\n",
  'PRD.md': '# Cart\n\nIt adds.\n\n## Tasks\n\n1. Mend add (lane: Code-Impl; complexity: simple; files: add.js)\n',
}
const TURNS: readonly ScriptedAnswer[] = [
  call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' }),
  call('test', {}),
  call('submit', { title: 'fix: add adds', summary: 'It subtracted.' }),
]
const LAST = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })

async function scripted(t: Cleanup) {
  const server = await startScriptedServer((request) => TURNS[turnOf(request).turn - 1] ?? LAST)
  t.after(() => void server.close())
  return server
}

/** What makes the tests of a tree impossible to measure, and what the runner says of it. */
const BREAKS: Readonly<Record<string, { readonly make: (place: Place) => void; readonly says: RegExp }>> = {
  'a crash without a report': { make: ({ repository }) => symlinkSync('nowhere', join(repository, 'gone.test.js')), says: /gone\.test\.js/ },
  'no test at all': { make: ({ repository }) => rmSync(join(repository, 'add.test.js')), says: /no test ran/ },
}

function commitAfter(place: Place, make: ((place: Place) => void) | undefined): void {
  make?.(place)
  git(place, 'add', '-A', '--', '.', ':!.vp')
  git(place, 'commit', '-q', '-m', 'break')
}

for (const [name, { make, says }] of Object.entries(BREAKS))
  test(`vp do: ${name} is never a pass`, async (t) => {
    const server = await scripted(t)
    const place = makePlace(t, FILES, server)
    commitAfter(place, make)
    const before = git(place, 'rev-parse', 'main')
    const { code, doc } = await vpJson(place, ['do', 'fix add'])
    assert.equal(code, 3, JSON.stringify(doc))
    assert.equal(doc.error?.code, 'gate.unmeasured')
    assert.match(doc.error?.message ?? '', says)
    assert.match(doc.error?.hint ?? '', /--test/)
    assert.equal(git(place, 'rev-parse', 'main'), before, 'main stays')
    assert.equal(server.requests.length, TURNS.length, 'what no attempt could change is not tried again')
    const screen = await vp(place, ['validate'])
    assert.equal(screen.code, 3, screen.stdout)
    assert.match(screen.stdout, says)
    assert.equal((await vp(place, ['complete'])).code, 3)
    assert.equal(git(place, 'rev-parse', 'main'), before)
  })

test('vp do: a first test, written by the task, is measured', async (t) => {
  const turns = [call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' }), call('write', { path: 'add.test.js', content: FILES['add.test.js'] }), LAST]
  const server = await startScriptedServer((_request, n) => turns[n - 1] ?? LAST)
  t.after(() => void server.close())
  const { 'add.test.js': _, ...files } = FILES
  const place = makePlace(t, files, server)
  const { code, doc } = await vpJson(place, ['do', 'fix add'])
  assert.equal(code, 0, JSON.stringify(doc))
})

test('a planned task whose tests can be measured neither before nor after is not gated, and every screen says so', async (t) => {
  const place = await approvedProject(t, FILES, await scripted(t))
  commitAfter(place, BREAKS['no test at all']?.make)
  const started = await vp(place, ['start'])
  assert.equal(started.code, 0, started.stderr)
  assert.match(started.stdout, /no gate measured/)
  const { code, doc } = await vpJson(place, ['validate'])
  assert.equal(code, 0)
  const gates = doc.result?.['gates'] as unknown as { kpi_name: string; pass: boolean | null; measured: boolean }[]
  const rate = gates.find((gate) => gate.kpi_name === 'test_pass_rate')
  assert.equal(rate?.measured, false)
  assert.equal(rate?.pass, null)
  const screen = await vp(place, ['validate'])
  assert.match(screen.stdout, /- T1 +test_pass_rate +not measured, .+; does not block/)
  assert.match(screen.stdout, /no gate measured/)
  const completed = await vp(place, ['complete'])
  assert.equal(completed.code, 0, completed.stderr)
  assert.match(completed.stdout, /no gate measured/)
})

const NO_TESTS: readonly (readonly [command: string, code: string, exit: number])[] = [
  ['make check', 'gate.unmeasured', 3],
  ['rm -rf /', 'policy.denied', 4],
  ['sudo make check', 'policy.denied', 4],
  ['curl http://127.0.0.1/', 'policy.denied', 4],
  ['no-such-program', 'sandbox.program_missing', 4],
  ['./check.sh', 'policy.denied', 4],
  ['sh -c "cd packages/api && npm test"', 'policy.denied', 4],
  ['npm -C ../other test', 'policy.denied', 4],
  ['npm test --prefix=/tmp', 'policy.denied', 4],
  ['make -C packages -C /tmp test', 'policy.denied', 4],
  ['npm -C packages/other test', 'gate.unmeasured', 3],
]
test('vp do --test with what cannot be run here is refused before a model is asked', async (t) => {
  const server = await scripted(t)
  const place = makePlace(t, FILES, server)
  for (const [command, code, exit] of NO_TESTS) {
    const { code: status, doc } = await vpJson(place, ['do', 'fix add', '--test', command])
    assert.deepEqual([status, doc.error?.code], [exit, code], command)
    assert.ok(doc.error?.hint !== undefined || (doc.error?.next.length ?? 0) > 0, `${command}: a next step`)
  }
  assert.equal(server.requests.length, 0)
  assert.equal((await vpJson(place, ['status'])).doc.error?.code, 'run.none')
})

const PACKAGE = {
  ...Object.fromEntries(['package.json', 'add.js', 'add.test.js'].map((name) => [`packages/api/${name}`, FILES[name as keyof typeof FILES]])),
  'packages/api/Makefile': 'test:\n\tnode --test\n',
}
for (const command of ['npm -C packages/api test', 'npm test --prefix ./packages/api/', 'npm --prefix=packages/api test', 'make -C packages/api test'])
  test(`vp do --test: ${command}`, async (t) => {
    const edit = call('edit', { path: 'packages/api/add.js', old: 'a - b', new: 'a + b' })
    const turns = [call('test', {}), edit, call('test', {}), LAST]
    const server = await startScriptedServer((_request, n) => turns[n - 1] ?? LAST)
    t.after(() => void server.close())
    const { code, doc, stderr } = await vpJson(makePlace(t, PACKAGE, server), ['do', 'fix add', '--test', command])
    assert.equal(code, 0, `${JSON.stringify(doc)}\n${stderr}`)
  })
