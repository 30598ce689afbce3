/** A conflict with the person's branch is a task of the run: nothing of theirs is touched until both are brought together. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { approvedProject, call, git, makePlace, turnOf, vp, vpJson, writeFiles, type Cleanup, type Place, type Turn } from '../e2e/kit.ts'
import { isSame, manifest } from '../e2e/traps.ts'

const TESTS =
  "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds two', () => assert.equal(add(2, 3), 5))\n"
const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js': TESTS,
  'PRD.md': '# Cart\n\n## Tasks\n\n1. Make add add (lane: Code-Impl; complexity: simple; files: add.js)\n',
}
const BOTH = '/** Sum of two. */\nexport const add = (a, b) => a + b\n'
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const FIX = [call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' }), SUBMIT]
const REPAIR = [
  call('read', { path: 'add.js' }),
  call('write', { path: 'add.js', content: BOTH }),
  call('submit', { title: 'fix: keep both', summary: 'Both sides.' }),
]

const AGAIN = [
  call('patch', { diff: '--- a/add.js\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-/** Sum of two. */\n-export const add = (a, b) => a + b\n' }),
  call('submit', { title: 'fix: follow the rename', summary: 'add is sum now.' }),
]

/** T1 is done as planned; what a repair answers is the test's own. */
async function serverWith(t: Cleanup, repair: (turn: Turn) => ScriptedAnswer | undefined) {
  const server = await startScriptedServer((request) => {
    const turn = turnOf(request)
    return (turn.task === 'T1' ? FIX[turn.turn - 1] : repair(turn)) ?? SUBMIT
  })
  t.after(() => void server.close())
  return server
}

/** The person's side of it: the same line, and a file of their own. */
function moveOn(place: Place): string {
  writeFiles(place.repository, { 'add.js': '/** Sum of two. */\nexport const add = (a, b) => a - b // of integers\n', 'mine.txt': 'mine\n' })
  git(place, 'add', '-A')
  git(place, 'commit', '-qm', 'document add')
  return git(place, 'rev-parse', 'HEAD')
}

const statusOf = async (place: Place) => (await vpJson(place, ['status'])).doc.result as Record<string, never>

test('vp complete --merge on a conflict adds a task that resolves it; then plain vp complete moves the branch', async (t) => {
  const server = await serverWith(t, ({ turn }) => REPAIR[turn - 1])
  const place = await approvedProject(t, FILES, server)
  assert.equal((await vp(place, ['start'])).code, 0)
  const run = String((await statusOf(place))['run_id'])
  const first = git(place, 'rev-parse', `vp/${run}`)
  const mine = moveOn(place)
  const before = manifest(place)

  const conflict = await vpJson(place, ['complete', '--merge'])
  assert.equal(conflict.code, 7)
  assert.equal(conflict.doc.error?.code, 'workspace.moved')
  assert.match(conflict.doc.error?.message ?? '', /^main and the run changed the same lines: add\.js$/)
  assert.deepEqual(conflict.doc.error?.next[0], ['vp', 'resume'])
  isSame(manifest(place), before, 'after the conflict')
  const open = await statusOf(place)
  assert.deepEqual([open['status'], open['tasks_total'], open['tasks_completed']], ['executing', 2, 1])
  const tasks = open['tasks'] as unknown as { n: number; lane: string; status: string }[]
  assert.deepEqual([tasks[1]?.n, tasks[1]?.lane, tasks[1]?.status], [2, 'Code-Impl', 'queued'])
  const again = await vp(place, ['complete', '--merge'])
  assert.equal(again.code, 7, 'until it is resolved')
  assert.match(again.stderr, /T2 of run \S+ is not done yet: resolve the conflict with main in add\.js/)

  const resumed = await vp(place, ['resume'])
  assert.equal(resumed.code, 0, resumed.stderr)
  isSame(manifest(place), before, "after the repair, which is the run's alone")
  const asked = server.requests.map(turnOf).find(({ task }) => task === 'T2')?.request.messages ?? []
  const goal = asked.find(({ role }) => role === 'user')?.content ?? ''
  assert.match(goal, /a person changed the same places on the branch main/)
  assert.match(goal, /CONFLICT \(content\): Merge conflict in add\.js/)
  assert.match(goal, /^mine\.txt$/m, "the person's files are there")
  const shown = server.requests.findLast((request) => turnOf(request).task === 'T2')?.messages.find(({ role }) => role === 'tool')?.content ?? ''
  assert.match(shown, /<<<<<<< run[^]*a \+ b[^]*=======[^]*of integers[^]*>>>>>>> person/)
  const head = git(place, 'rev-parse', `vp/${run}`)
  assert.equal(git(place, 'log', '-1', '--format=%P', head), `${first} ${mine}`)

  const done = await vpJson(place, ['complete'])
  assert.equal(done.code, 0, JSON.stringify(done.doc))
  assert.deepEqual([done.doc.result?.['how'], done.doc.result?.['from']], ['fast-forward', mine])
  assert.equal(readFileSync(join(place.repository, 'add.js'), 'utf8'), BOTH)
  assert.ok(existsSync(join(place.repository, 'mine.txt')))
  assert.equal(git(place, 'status', '--porcelain', '--untracked-files=no'), '')
  for (const args of [['validate'], ['verify'], ['replay']]) assert.equal((await vp(place, args)).code, 0, args.join(' '))
  const bundle = (await vp(place, ['export'])).stdout.trim()
  for (const args of [
    ['verify', bundle],
    ['replay', bundle],
  ]) {
    const { code, stdout, stderr } = await vp(place, args)
    assert.equal(code, 0, `${args[0]}: ${stdout}${stderr}`)
  }
})

test('a tree that still has markers is not committed; the attempt is told where they are', async (t) => {
  const LEFT = '<<<<<<< run\nexport const add = (a, b) => a + b\n=======\nexport const add = (a, b) => a - b\n>>>>>>> person\n'
  const server = await serverWith(t, ({ turn, feedback }) => {
    if (feedback !== null) return REPAIR[turn]
    return turn === 1 ? call('write', { path: 'add.js', content: LEFT }) : SUBMIT
  })
  const place = await approvedProject(t, FILES, server)
  assert.equal((await vp(place, ['start'])).code, 0)
  moveOn(place)
  assert.equal((await vp(place, ['complete', '--merge'])).code, 7)
  const { code, stderr } = await vp(place, ['resume'])
  assert.equal(code, 0, stderr)
  const told = server.requests.map(turnOf).find(({ feedback }) => feedback !== null)?.feedback ?? ''
  assert.match(told, /- add\.js:1 still is a conflict marker/)
  assert.match((await vp(place, ['logs'])).stdout, /conflict left: add\.js:1/)
  assert.equal((await vp(place, ['complete'])).code, 0)
  assert.doesNotMatch(git(place, 'log', '-p', '--all', '--format=%s'), /^\+<{7}/m)
})

test('a repair that drops a test is not committed, and says which', async (t) => {
  const DROPPED = "import { test } from 'node:test'\ntest('x', () => {})\n"
  const server = await serverWith(t, ({ turn }) => [REPAIR[1], call('write', { path: 'add.test.js', content: DROPPED })][turn - 1])
  const place = await approvedProject(t, FILES, server)
  assert.equal((await vp(place, ['start'])).code, 0)
  moveOn(place)
  assert.equal((await vp(place, ['complete', '--merge'])).code, 7)
  const failed = await vp(place, ['resume'])
  assert.equal(failed.code, 3)
  assert.match(failed.stderr, /test deleted .adds two./)
  assert.equal((await vp(place, ['complete', '--merge'])).code, 3)
})

test('a person who moves on again is met again; papers of a vp complete that was refused are no obstacle', async (t) => {
  const server = await serverWith(t, ({ task, turn }) => (task === 'T2' ? REPAIR : AGAIN)[turn - 1])
  const place = await approvedProject(t, FILES, server)
  assert.equal((await vp(place, ['start'])).code, 0)
  writeFiles(place.repository, { 'add.js': 'unfinished\n' })
  assert.equal((await vp(place, ['complete'])).code, 7)
  moveOn(place)
  assert.equal((await vp(place, ['complete', '--merge'])).code, 7)
  assert.equal((await vp(place, ['resume'])).code, 0)
  git(place, 'rm', '-q', 'add.js', 'add.test.js')
  writeFiles(place.repository, { 'sum.js': 'export const sum = (a, b) => a + b\n', 'sum.test.js': TESTS.replaceAll('add', 'sum') })
  git(place, 'add', '-A')
  git(place, 'commit', '-qm', 'name it sum')
  const second = await vp(place, ['complete', '--merge'])
  assert.equal(second.code, 7)
  assert.match(second.stderr, /T3 was added to the run/)
  const resumed = await vp(place, ['resume'])
  assert.equal(resumed.code, 0, resumed.stdout + resumed.stderr)
  const goal =
    server.requests
      .map(turnOf)
      .find(({ task }) => task === 'T3')
      ?.request.messages.find(({ role }) => role === 'user')?.content ?? ''
  assert.match(goal, /CONFLICT \(modify\/delete\): add\.js deleted in person and modified in run/)
  assert.equal((await vp(place, ['complete'])).code, 0)
  assert.ok(!existsSync(join(place.repository, 'add.js')), 'the person took it away')
  for (const args of [['validate'], ['verify'], ['replay']]) {
    const { code, stdout, stderr } = await vp(place, args)
    assert.equal(code, 0, `${args[0]}: ${stdout}${stderr}`)
  }
})

for (const [words, point] of [
  ['complete --merge', 'repair.before'],
  ['resume', 'attempt.judged'],
  ['resume', 'merge.intended'],
  ['resume', 'merge.moved'],
  ['resume', 'validated'],
] as const)
  test(`kill -9 of vp ${words} at ${point}, then the same again: one repair, one commit`, async (t) => {
    const server = await serverWith(t, ({ turn }) => REPAIR[turn - 1])
    const place = await approvedProject(t, FILES, server)
    assert.equal((await vp(place, ['start'])).code, 0)
    moveOn(place)
    if (words === 'resume') assert.equal((await vp(place, ['complete', '--merge'])).code, 7)
    const killed = await vp(place, words.split(' '), { env: { VP_TEST_KILL_AT: `${point}:1` } })
    assert.equal(killed.signal, 'SIGKILL', killed.stderr)
    if (words !== 'resume') assert.equal((await vp(place, ['complete', '--merge'])).code, 7)
    if ((await statusOf(place))['status'] !== 'completed') assert.equal((await vp(place, ['resume'])).code, 0)
    const status = await statusOf(place)
    assert.deepEqual([status['status'], status['tasks_total'], status['tasks_completed']], ['completed', 2, 2])
    const { code, stdout, stderr } = await vp(place, ['complete'])
    assert.equal(code, 0, stdout + stderr)
    assert.equal(git(place, 'log', '--format=%H', '--grep=VP-Task: T2', 'main').split('\n').length, 1)
    assert.equal((await vp(place, ['verify'])).code, 0)
  })

test('a person who brings both together by hand needs no repair, before it is made or after it failed', async (t) => {
  for (const fails of [false, true]) {
    const server = await serverWith(t, () => (fails ? call('submit', { title: 'x', summary: 'x' }) : undefined))
    const place = await approvedProject(t, FILES, server)
    assert.equal((await vp(place, ['start'])).code, 0)
    const run = String((await statusOf(place))['run_id'])
    moveOn(place)
    assert.equal((await vp(place, ['complete', '--merge'])).code, 7)
    if (fails) {
      assert.equal((await vp(place, ['resume'])).code, 3)
      const refused = await vp(place, ['complete', '--merge'])
      assert.equal(refused.code, 3)
      assert.match(refused.stderr, /git merge vp\//)
    }
    assert.throws(() => git(place, 'merge', '-q', `vp/${run}`))
    writeFiles(place.repository, { 'add.js': BOTH })
    git(place, 'commit', '-qam', 'both')
    const { code, stdout, stderr } = await vp(place, ['complete', '--merge'])
    assert.equal(code, 0, stdout + stderr)
    const status = await statusOf(place)
    assert.deepEqual([status['status'], status['tasks_skipped'], (status['gates'] as unknown as { hold: number }).hold], ['completed', 1, 2])
    assert.equal(readFileSync(join(place.repository, 'add.js'), 'utf8'), BOTH)
    for (const args of [['validate'], ['verify'], ['replay']]) assert.equal((await vp(place, args)).code, 0, args.join(' '))
  }
})

test('vp do: the repair is resumed, and what was typed ends on the branch', async (t) => {
  let moved = ''
  const server = await serverWith(t, ({ turn }) => REPAIR[turn - 1])
  const place: Place = makePlace(t, FILES, {
    get baseUrl() {
      return server.baseUrl
    },
  })
  const racing = await startScriptedServer((request) => {
    const { task, turn } = turnOf(request)
    if (moved === '') moved = moveOn(place) // while the model works, the person does
    return (task === 'T1' ? FIX[turn - 1] : REPAIR[turn - 1]) ?? SUBMIT
  })
  t.after(() => void racing.close())
  const env = { VP_MODEL_BASE_URL: racing.baseUrl }
  const typed = await vp(place, ['do', 'fix add'], { env })
  assert.equal(typed.code, 7, typed.stderr)
  assert.equal((await vp(place, ['complete', '--merge'], { env })).code, 7)
  const { code, stdout, stderr } = await vp(place, ['resume'], { env })
  assert.equal(code, 0, stdout + stderr)
  assert.equal(readFileSync(join(place.repository, 'add.js'), 'utf8'), BOTH)
  assert.ok(git(place, 'log', '--format=%H').includes(moved))
})

test('with nothing left of the budget there is no repair, and nothing is changed', async (t) => {
  const spent = [1_000, 99_000] // of 100,000, all of it
  const server = await startScriptedServer((request) => {
    const { turn } = turnOf(request)
    return { ...FIX[turn - 1], usage: { in: spent[turn - 1] ?? 0, out: 0 } } as ScriptedAnswer
  })
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server)
  for (const args of [
    ['new', '--name', 'words'],
    ['plan', '--from-prd', 'PRD.md'],
    ['estimate'],
    ['approve', '--budget-tokens', '100000', '--no-input'],
    ['start'],
  ])
    assert.equal((await vp(place, args)).code, 0, args.join(' '))
  moveOn(place)
  const before = manifest(place)
  const refused = await vpJson(place, ['complete', '--merge'])
  assert.deepEqual([refused.code, refused.doc.error?.code], [6, 'budget.cap'])
  isSame(manifest(place), before, 'after the refusal')
  assert.equal((await statusOf(place))['status'], 'completed')
})
