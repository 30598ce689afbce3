/** A budget is what a person approved: for all runs of a plan together, and a stop says what lets the run go on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { call, makePlace, turnOf, vp, vpJson, type Cleanup, type Place } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds two', () => assert.equal(add(2, 3), 5))\n",
  'PRD.md': '# Cart\n\n## Tasks\n\n1. Make add add (lane: Code-Impl; complexity: simple; files: add.js)\n',
}
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const TURNS = [call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' }), SUBMIT]

async function placeWith(t: Cleanup): Promise<Place> {
  const server = await startScriptedServer((request) => TURNS[turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => void server.close())
  return makePlace(t, FILES, server)
}

async function planned(t: Cleanup): Promise<Place> {
  const place = await placeWith(t)
  for (const args of [['new', '--name', 'cart'], ['plan', '--from-prd', 'PRD.md'], ['estimate']]) assert.equal((await vp(place, args)).code, 0)
  return place
}

const start = async (place: Place) => {
  const { code, doc } = await vpJson(place, ['start'])
  return { code, run: String(doc.result?.['run_id']), tokens: Number(doc.result?.['tokens_total'] ?? 0), error: doc.error }
}

test('the runs of one approval share its budget; a new decision is what goes on', async (t) => {
  const place = await planned(t)
  assert.equal((await vp(place, ['approve', '--budget-usd', '1', '--no-input'])).code, 0)
  const first = await start(place)
  assert.equal(first.code, 0, JSON.stringify(first))
  assert.equal((await vp(place, ['approve', '--budget-tokens', String(first.tokens), '--no-input'])).code, 0)
  const refused = await start(place)
  assert.deepEqual([refused.code, refused.error?.code], [6, 'budget.cap'])
  assert.match(refused.error?.message ?? '', new RegExp(`earlier runs of this plan took ${first.tokens} tokens`))
  const [raise] = refused.error?.next ?? []
  assert.deepEqual(raise?.slice(0, 3), ['vp', 'approve', '--budget-tokens'])

  // Room for a call, not for a run: it stops inside what is left of what was approved.
  const cap = first.tokens + 1000
  assert.equal((await vp(place, ['approve', '--budget-tokens', String(cap), '--no-input'])).code, 0)
  const stopped = await start(place)
  assert.equal(stopped.code, 6)
  assert.match(stopped.error?.message ?? '', new RegExp(`, 1000 of ${cap} are free$`))
  assert.match((await vp(place, ['status'])).stdout, /^budget .* 0 of 1k tokens/m)
  for (const argv of stopped.error?.next ?? []) assert.equal((await vp(place, [...argv.slice(1), '--no-input'])).code, 0, argv.join(' '))
})

test('two starts at once are one run', async (t) => {
  const place = await planned(t)
  assert.equal((await vp(place, ['approve', '--budget-usd', '1', '--no-input'])).code, 0)
  const both = await Promise.all([start(place), start(place)])
  assert.deepEqual(
    both.map(({ code }) => code),
    [0, 0],
  )
  assert.equal(both[0].run, both[1].run)
})

test('a small change that its budget stopped goes on with what it says', async (t) => {
  const place = await placeWith(t)
  const stopped = await vpJson(place, ['do', 'fix add', '--budget-tokens', '0'])
  assert.deepEqual([stopped.code, stopped.doc.error?.code], [6, 'budget.cap'])
  const next = stopped.doc.error?.next ?? []
  assert.deepEqual([next.length, next[0]?.slice(0, 2), next[0]?.[3]], [1, ['vp', 'resume'], '--budget-tokens'])
  assert.deepEqual((await vpJson(place, ['status'])).doc.result?.['next'], next)
  assert.equal((await vpJson(place, ['resume'])).code, 6)
  assert.equal((await vp(place, (next[0] ?? []).slice(1))).code, 0)
  const status = (await vpJson(place, ['status'])).doc.result
  assert.deepEqual([status?.['status'], status?.['budget_tokens']], ['completed', Number(next[0]?.[4])])
})

test('the cap of a plan is no flag of resume, and no word of CI', async (t) => {
  const place = await planned(t)
  assert.equal((await vp(place, ['approve', '--budget-tokens', '10', '--no-input'])).code, 0)
  assert.equal((await start(place)).code, 6)
  const refused = await vpJson(place, ['resume', '--budget-tokens', '90000'])
  assert.deepEqual([refused.code, refused.doc.error?.next[0]], [2, ['vp', 'approve', '--budget-tokens', '90000']])
  assert.equal((await vpJson(place, ['resume', '--budget-tokens', '90000'], { env: { CI: '1' } })).doc.error?.code, 'policy.scope')
})
