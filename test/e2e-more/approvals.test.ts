/** What a person signed stays signed: a second decision changes what it names, and a test that was changed is not called safe. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { approvedProject, call, makePlace, turnOf, vp, vpJson, type Cleanup, type Place } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5))\n",
  'PRD.md': '# Cart\n\nIt adds.\n\n## Tasks\n\n1. Mend add (lane: Code-Impl; complexity: simple; files: add.js)\n',
}
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const MEND = call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' })

async function scripted(t: Cleanup, turns: readonly ScriptedAnswer[] = [MEND, SUBMIT]) {
  const server = await startScriptedServer((request) => turns[turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => void server.close())
  return server
}

test('a second approval of the same plan keeps gates, caps and breach that it does not name', async (t) => {
  const place = await approvedProject(t, FILES, await scripted(t))
  const first = await vpJson(place, ['approve', '--budget-usd', '1', '--budget-tokens', '50000', '--breach', 'kill', '--gate', 'Code-Impl:test_pass_rate>=1'])
  assert.equal(first.code, 0)
  const second = (await vpJson(place, ['approve', '--budget-usd', '2'])).doc.result
  assert.deepEqual([second?.['budget_usd'], second?.['budget_tokens'], second?.['breach']], [2, 50_000, 'kill'])
  assert.deepEqual(
    ((second?.['gates'] ?? []) as unknown as { kpi: string; threshold: unknown }[]).map(({ kpi, threshold }) => [kpi, threshold]),
    [['test_pass_rate', { min: 1 }]],
  )
  const looser = await vp(place, ['approve', '--gate', 'Code-Impl:test_pass_rate>=0.95'])
  assert.equal(looser.code, 5, 'stricter than shipped, looser than what was signed')
  assert.match(looser.stderr, /looser than what holds now/)
})

test('without a terminal and without a cap nobody has decided: nothing is recorded', async (t) => {
  const place = makePlace(t, FILES, await scripted(t))
  for (const args of [['new', '--name', 'words'], ['plan', '--from-prd', 'PRD.md'], ['estimate']]) assert.equal((await vp(place, args)).code, 0, args.join(' '))
  for (const args of [['approve'], ['approve', '--no-input'], ['approve', '--yes'], ['approve', '--breach', 'kill']]) {
    const { code, doc } = await vpJson(place, args)
    assert.deepEqual([code, doc.error?.code, doc.error?.next[0]?.slice(0, 3)], [5, 'approval.needed', ['vp', 'approve', '--budget-usd']], args.join(' '))
  }
  assert.equal((await vpJson(place, ['start'])).doc.error?.code, 'approval.stale')
  assert.equal((await vp(place, ['approve', '--budget-tokens', '50000'])).code, 0)
  assert.equal((await vp(place, ['approve'])).code, 0, 'the caps that were signed before are caps')
})

test('a gate that nothing measures, or that no value could pass, is not signed', async (t) => {
  const place = await approvedProject(t, FILES, await scripted(t))
  for (const [gate, says] of [
    ['Code-Impl:bogus>=7', /nothing measures bogus in Code-Impl/],
    ['Code-Impl:test_pass_rate>=1.7', /at most 1/],
    ['Narrative:test_pass_rate>=0.5', /nothing measures test_pass_rate in Narrative/],
  ] as const) {
    const { code, stderr } = await vp(place, ['approve', '--budget-usd', '1', '--gate', gate])
    assert.equal(code, 2, gate)
    assert.match(stderr, says)
  }
  const { code, stderr } = await vp(place, ['approve', '--budget-usd', '1', '--breach', 'explode'])
  assert.deepEqual([code, /--breach is one of pause, ask, kill/.test(stderr)], [2, true])
})

test('where a run changed a test from before it, nobody says that none is weakened', async (t) => {
  const honest = makePlace(t, FILES, await scripted(t))
  assert.equal((await vp(honest, ['do', 'mend add'])).code, 0)
  const weak = call('edit', { path: 'test/add.test.js', old: 'assert.equal(add(2, 3), 5)', new: 'assert.ok(add)' })
  const place = await approvedProject(t, FILES, await scripted(t, [weak, SUBMIT]))
  assert.equal((await vp(place, ['approve', '--budget-usd', '1'])).code, 0)
  assert.equal((await vp(place, ['start'])).code, 0)
  const small = makePlace(t, FILES, await scripted(t, [weak, SUBMIT]))
  const looks: [Place, string[]][] = [
    [place, ['validate']],
    [place, ['complete']],
    [place, ['complete']], // again: it is on the branch already
    [place, ['validate']],
    [small, ['do', 'mend add']],
  ]
  for (const [at, args] of looks) {
    const { code, stdout } = await vp(at, args)
    assert.equal(code, 0)
    assert.doesNotMatch(stdout, /none weakened/)
    assert.match(stdout, /read what was changed in test\/add\.test\.js/, `vp ${args[0]}`)
  }
})

test('vp export replaces no file', async (t) => {
  const place = makePlace(t, FILES, await scripted(t))
  assert.equal((await vp(place, ['do', 'mend add'])).code, 0)
  const notes = join(place.repository, 'notes.md')
  writeFileSync(notes, 'mine\n')
  for (const out of ['notes.md', 'test', '.git/config']) {
    const { code, stderr } = await vp(place, ['export', '--out', out])
    assert.equal(code, 2, out)
    assert.match(stderr, /is there already/)
  }
  assert.equal(readFileSync(notes, 'utf8'), 'mine\n')
  for (const out of ['/proc/nope/run.vpb', 'made/run.vpb', 'notes.md/run.vpb']) {
    const { code, doc } = await vpJson(place, ['export', '--out', out])
    assert.deepEqual([code, doc.error?.code, doc.error?.next[0]?.slice(0, 3)], [2, 'usage.params', ['vp', 'export', '--out']], out)
  }
  assert.ok(!existsSync(join(place.repository, 'made')), 'no directory is made for it')
  assert.equal((await vp(place, ['export', '--out', 'proof.vpb'])).code, 0)
})
