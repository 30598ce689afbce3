/** What is asked a second time, and what every screen says of one run: the same, and nothing that did not happen. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, turnOf, vp, vpJson, type Cleanup } from './kit.ts'

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
