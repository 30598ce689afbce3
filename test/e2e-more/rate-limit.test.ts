/** A server that asks to wait: the wait is said while it lasts, and one that is too long is an error at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { call, makePlace, turnOf, vp, vpJson, type Cleanup } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds two', () => assert.equal(add(2, 3), 5))\n",
  'PRD.md': '# Cart\n\n## Tasks\n\n1. Make add add (lane: Code-Impl; complexity: simple; files: add.js)\n',
}
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const TURNS = [call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' }), SUBMIT]
const limited = (seconds: string): ScriptedAnswer => ({ fault: 'status', status: 429, headers: { 'retry-after': seconds } })

async function placeWith(t: Cleanup, seconds: string, often: number) {
  let left = often
  const server = await startScriptedServer((request) => (left-- > 0 ? limited(seconds) : (TURNS[turnOf(request).turn - 1] ?? SUBMIT)))
  t.after(() => void server.close())
  return { place: makePlace(t, FILES, server), server }
}

test('do and simulate say for whom they wait, and how long', async (t) => {
  const { place } = await placeWith(t, '1', 1)
  const done = await vp(place, ['do', 'fix add'])
  assert.equal(done.code, 0, done.stderr)
  assert.match(done.stderr, /rate limited by 127\.0\.0\.1(:\d+)?, next try in [12] s \(2 of 3\)/)

  const { place: planned } = await placeWith(t, '1', 1)
  for (const args of [['new', '--name', 'cart'], ['plan', '--from-prd', 'PRD.md'], ['estimate']]) assert.equal((await vp(planned, args)).code, 0)
  const simulated = await vp(planned, ['simulate', '--rehearsal', '0.01'])
  assert.equal(simulated.code, 0, simulated.stderr)
  assert.match(simulated.stderr, /^note {2}rate limited by 127\.0\.0\.1/m)
})

test('a wait that is too long is an error at once, with its time', async (t) => {
  const { place, server } = await placeWith(t, '7200', 99)
  const { code, doc } = await vpJson(place, ['do', 'fix add'])
  assert.deepEqual([code, doc.error?.code, server.requests.length], [8, 'model.rate_limited', 1])
  assert.match(doc.error?.message ?? '', /next try in 120 min$/)
})
