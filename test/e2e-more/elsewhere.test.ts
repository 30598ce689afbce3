/** Two checkouts, one ledger: what is asked in one is never silently answered by a run of the other. */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, turnOf, vp, vpJson, writeFiles } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds two', () => assert.equal(add(2, 3), 5))\n",
}
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const TURNS = [call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' }), SUBMIT]

test('a run of another checkout is named with its place, and changed only there', async (t) => {
  const server = await startScriptedServer((request) => TURNS[turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => void server.close())
  const first = makePlace(t, FILES, server)
  const second = { ...first, repository: join(first.root, 'second') }
  mkdirSync(second.repository)
  writeFiles(second.repository, FILES)
  git(second, 'init', '-q', '-b', 'main')
  git(second, 'config', 'user.name', 'A. Person')
  git(second, 'config', 'user.email', 'person@example.org')
  git(second, 'add', '-A')
  git(second, 'commit', '-q', '-m', 'start')

  const own = String((await vpJson(first, ['do', 'fix add'])).doc.result?.['run_id'])
  const none = await vp(second, ['verify'])
  assert.deepEqual([none.code, /^note {2}there is no run of this checkout yet$/m.test(none.stderr)], [0, true], none.stderr)
  const other = String((await vpJson(second, ['do', 'fix add'])).doc.result?.['run_id'])
  assert.notEqual(own, other)
  const verified = (await vpJson(first, ['verify'])).doc.result
  assert.deepEqual([verified?.['run_id'], verified?.['here']], [own, own])

  for (const args of [['status'], ['logs'], ['validate'], ['verify'], ['export']]) {
    const { code, stderr } = await vp(second, [...args, own])
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    assert.ok(stderr.includes(`is of another checkout, at ${first.repository}`), `${args.join(' ')}: ${stderr}`)
  }
  for (const args of [['complete'], ['resume'], ['pause'], ['terminate'], ['undo'], ['git', 'pr', '--dry-run']]) {
    const { code, doc } = await vpJson(second, [...args, own])
    assert.deepEqual([code, doc.error?.next[0]], [2, ['cd', first.repository]], `${args.join(' ')}: ${JSON.stringify(doc)}`)
    assert.ok(doc.error?.message.includes(first.repository))
  }
  const task = await vpJson(second, ['undo', 'T7'])
  assert.equal(task.doc.error?.message, 'T7 changed nothing here')
  assert.deepEqual((await vpJson(second, ['validate'])).doc.result?.['undoable'], true)
  assert.equal((await vpJson(second, ['undo', other])).code, 5)
  assert.equal((await vp(second, ['undo', 'T1', '--yes'])).code, 0)
})
