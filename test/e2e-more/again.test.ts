/** What is asked a second time, and what every screen says of one run: the same, and nothing that did not happen. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { approvedProject, call, git, makePlace, turnOf, vp, vpJson, type Cleanup } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds two', () => assert.equal(add(2, 3), 5))\ntest('keeps', () => assert.equal(add(2, 0), 2))\n",
}
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const GOOD = [call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' }), SUBMIT]

async function placeWith(t: Cleanup, turns = GOOD) {
  const server = await startScriptedServer((request) => turns[turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => void server.close())
  return makePlace(t, FILES, server)
}

test('a second vp complete moves nothing and says so; what is asked afterwards takes nothing from the proof', async (t) => {
  const place = await placeWith(t)
  assert.equal((await vp(place, ['do', 'fix add'])).code, 0)
  const head = git(place, 'rev-parse', 'main')
  assert.match((await vp(place, ['verify'])).stdout, /^complete +its head \S+ is the one that commit /m)
  const again = await vp(place, ['complete'])
  assert.equal(again.code, 0, again.stderr)
  assert.match(again.stdout, /^main holds run [0-9a-f]{4} already, at [0-9a-f]{7} . nothing was moved\n$/)
  assert.match((await vp(place, ['verify'])).stdout, /^complete +its head \S+ is the one that commit /m)
  assert.equal((await vp(place, ['validate'])).code, 0)
  const { code, stdout } = await vp(place, ['verify'])
  assert.equal(code, 0)
  assert.match(stdout, /^complete +up to \S+, the one that commit [0-9a-f]{7} knows . \d+ receipts? after it, known to this ledger alone$/m)
  git(place, 'commit', '-q', '--allow-empty', '-m', 'more')
  const later = await vpJson(place, ['complete'])
  assert.deepEqual([later.code, later.doc.result?.['already'], later.doc.result?.['from'], later.doc.result?.['to']], [0, true, head, head])
})

test('a change that is on the branch is not sent to vp complete again, and vp alone tells of it', async (t) => {
  const place = await placeWith(t)
  assert.equal((await vp(place, ['do', 'fix add'])).code, 0)
  const status = (await vpJson(place, ['status'])).doc.result
  assert.deepEqual(
    [status?.['brought_to'], status?.['next']],
    [
      'main',
      [
        ['git', 'log', '--stat'],
        ['vp', 'verify'],
      ],
    ],
  )
  const where = (await vpJson(place, [])).doc.result
  assert.deepEqual([where?.['kind'], where?.['state'], where?.['next']], ['run', 'completed', ['git log --stat', 'vp verify']])
})

test('vp resume of a run that is done tells its report again, after vp do and after vp start', async (t) => {
  const server = await startScriptedServer((request) => GOOD[turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server)
  assert.equal((await vp(place, ['do', 'fix add'])).code, 0)
  const project = await approvedProject(t, { ...FILES, 'PRD.md': '# Cart\n\n## Tasks\n\n1. Mend add (lane: Code-Impl)\n' }, server)
  assert.equal((await vp(project, ['start'])).code, 0)
  const asked = server.requests.length
  for (const there of [place, project]) {
    const { code, doc } = await vpJson(there, ['resume'])
    assert.deepEqual([code, doc.result?.['status'], doc.result?.['tasks_completed']], [0, 'completed', 1], JSON.stringify(doc))
  }
  assert.equal(server.requests.length, asked)
})

test('vp start --detach says that the run goes on, and it does', async (t) => {
  const server = await startScriptedServer((request) => GOOD[turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => void server.close())
  const place = await approvedProject(t, { ...FILES, 'PRD.md': '# Cart\n\n## Tasks\n\n1. Mend add (lane: Code-Impl)\n' }, server)
  const started = await vp(place, ['start', '--detach'])
  assert.deepEqual([started.code, started.stderr], [0, ''])
  assert.match(started.stdout, /^run [0-9a-f]{4} goes on without this terminal\n$/)
  assert.match((await vp(place, ['status', '--follow'])).stdout, /completed/)
  assert.match((await vp(place, ['logs'])).stdout, / start +1 task, plan v1 /)
})

test('a deleted test is named by its kind, and is no gate that holds; every screen counts alike', async (t) => {
  const without = "import { test } from 'node:test'\ntest('keeps', () => {})\n"
  const place = await placeWith(t, [call('write', { path: 'add.test.js', content: without }), SUBMIT])
  const { code, stdout, stderr } = await vp(place, ['do', 'fix add'])
  assert.equal(code, 3)
  assert.match(stdout, /needs review: 0 of 1 task, 1 of 2 gates, .* . test deleted .adds two./)
  assert.match(stderr, /^error {2}gate\.failed: test deleted .adds two.$/m)
  assert.match(stderr, /^ +next: +vp validate . vp logs$/m)
  const validated = await vp(place, ['validate'])
  assert.match(validated.stdout, /1 of 2 gates hold/)
  assert.match((await vp(place, ['status'])).stdout, /1 of 2 measured hold/)
})

test('a KPI that fails is named with its value, its gate, the first test and the task, by every verb', async (t) => {
  const place = await placeWith(t, [call('edit', { path: 'add.js', old: 'a - b', new: 'a - b - 0' }), SUBMIT])
  const words = 'test_pass_rate 0.50, gate is >= 0.90, first “adds two” (T1)'
  for (const args of [['do', 'fix add'], ['validate'], ['complete']]) {
    const { code, doc } = await vpJson(place, args)
    assert.deepEqual([code, doc.error?.code, doc.error?.message], [3, 'gate.failed', words], args.join(' '))
  }
})

test('report, status and validate say the same of gates and energy; what was not measured is null', async (t) => {
  const place = await placeWith(t)
  const done = (await vpJson(place, ['do', 'fix add'])).doc.result
  const status = (await vpJson(place, ['status'])).doc.result
  const validated = (await vpJson(place, ['validate'])).doc.result
  assert.deepEqual(done?.['gates'], { held: validated?.['held'], of: validated?.['of'] })
  assert.deepEqual([status?.['gates']?.['hold'], status?.['gates']?.['measured']], [validated?.['held'], validated?.['of']])
  assert.ok(done?.['energy_kwh'])
  assert.deepEqual(status?.['energy_kwh'], done['energy_kwh'])
  assert.equal(typeof status?.['spend_energy_kwh'], 'number')
  assert.deepEqual(
    ((status?.['tasks'] ?? []) as unknown as { doing: string | null }[]).map(({ doing }) => doing),
    [null],
  )
  const lint = ((validated?.['gates'] ?? []) as unknown as { kpi_name: string; pass: boolean | null; measured: boolean }[]).filter(
    (gate) => gate.kpi_name === 'linter_pass',
  )
  assert.deepEqual([...new Set(lint.map(({ pass, measured }) => `${pass} ${measured}`))], ['null false'])
})

test('without an answer of the model there is no energy, on every screen', async (t) => {
  const server = await startScriptedServer(() => ({ fault: 'status', status: 401 }))
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server)
  const { code, stdout, stderr } = await vp(place, ['do', 'fix add'])
  assert.equal(code, 8)
  assert.match(`${stdout}${stderr}`, /energy not measured/)
  assert.match(stderr, /^error {2}model\.auth: /m)
  assert.match(stderr, /^ +next: +vp doctor . vp resume /m)
  assert.match((await vp(place, ['status'])).stdout, /energy not measured/)
  assert.equal((await vpJson(place, ['status'])).doc.result?.['energy_kwh'], null)
})

test('piped, a budget stop and an undo say what to type next', async (t) => {
  const place = await placeWith(t)
  const stopped = await vp(place, ['do', 'fix add', '--budget-tokens', '10'])
  assert.equal(stopped.code, 6)
  assert.match(stopped.stderr, /^error {2}budget\.cap: the next call could take /m)
  assert.match(stopped.stderr, /^ +next: +vp resume [0-9a-f]{4} --budget-tokens \d+$/m)
  assert.equal((await vp(place, ['do', 'fix add'])).code, 0)
  const undo = await vp(place, ['undo'])
  assert.equal(undo.code, 5)
  assert.match(undo.stderr, /^error {2}approval\.needed: undo writes after a yes$/m)
  assert.match(undo.stderr, /^ +next: +vp undo \S+ --yes/m)
})

const DELETION = [
  '--- a/add.test.js',
  '+++ /dev/null',
  '@@ -1,6 +0,0 @@',
  ...FILES['add.test.js']
    .trimEnd()
    .split('\n')
    .map((line) => `-${line}`),
  '',
].join('\n')
const ENDS_EARLY = call('write', { path: 'add.js', content: 'export const add = (a, b) => a + b\nprocess.exit(0)\n' })
const cheats: [title: string, turn: ReturnType<typeof call>, kind: string][] = [
  ['the only test file is deleted', call('patch', { diff: DELETION }), 'test deleted'],
  ['the code under test ends the process', ENDS_EARLY, 'test did not run'],
]
for (const [title, turn, kind] of cheats)
  test(`what became of tests is said as it is: ${title}`, async (t) => {
    const place = await placeWith(t, [turn, SUBMIT])
    assert.equal((await vp(place, ['do', 'fix add'])).code, 3)
    const { doc } = await vpJson(place, ['validate'])
    const violations = doc.result?.['violations'] as unknown as { kind: string; name: string }[]
    assert.deepEqual(
      violations.filter((one) => one.kind.startsWith('test ')).map((one) => `${one.kind} ${one.name}`),
      [`${kind} adds two`, `${kind} keeps`],
      JSON.stringify(doc),
    )
  })

test('code that ends the process before a green test runs is no rename of that test', async (t) => {
  const server = await startScriptedServer((request) => [ENDS_EARLY, SUBMIT][turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => void server.close())
  const place = makePlace(t, { ...FILES, 'add.test.js': FILES['add.test.js'].replace('(2, 3), 5', '(2, 3), -1') }, server)
  const { code, stderr } = await vp(place, ['do', 'tidy add'])
  assert.equal(code, 3)
  assert.match(stderr, /gate\.failed: test did not run .adds two./)
})

test('a call that reaches no tool is a line of vp logs, with its receipt', async (t) => {
  const faults = [{ calls: [{ name: 'read', arguments: '{"path": "add' }] }, { calls: [{ name: 'raed', arguments: { path: 'x' } }] }, { text: 'I fixed it.' }]
  const place = await placeWith(t, [...faults, ...GOOD] as typeof GOOD)
  assert.equal((await vp(place, ['do', 'fix add'])).code, 0)
  const { stdout } = await vp(place, ['logs'])
  for (const words of ['The arguments of read are not JSON', 'There is no tool "raed"', 'an answer without a tool call'])
    assert.match(stdout, new RegExp(` T1 +call +usage\\.params: ${words}.* r_\\w+$`, 'm'))
  assert.equal((await vp(place, ['verify'])).code, 0)
  assert.equal((await vp(place, ['replay', (await vpJson(place, ['status'])).doc.result?.['run_id'] as unknown as string])).code, 0)
})
