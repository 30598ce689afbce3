/** A recorded run again from one of its turns: the turns before cost nothing and are the same to the byte, the rest is the model's. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, receiptsOf, turnOf, vpJson, type Place } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5))\n",
}
const READ = call('read', { path: 'src/add.js' })
const NOTE = call('write', { path: 'src/note.js', content: 'export const note = 1\n' })
const EDIT = call('edit', { path: 'src/add.js', old: 'a - b', new: 'a + b', test: true })
const OTHER = call('edit', { path: 'src/add.js', old: 'a - b', new: 'b + a', test: true })
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })

const idOf = (place: Place) =>
  git(place, 'for-each-ref', '--format=%(refname:short)', 'refs/heads/vp/')
    .split('\n')
    .map((name) => name.replace('vp/', ''))

test('a fork from a turn: the same messages up to it, another model after it, a branch and receipts of its own', async (t) => {
  let isFork = false
  const server = await startScriptedServer((request): ScriptedAnswer => [READ, NOTE, isFork ? OTHER : EDIT, SUBMIT][turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => server.close())
  const place = makePlace(t, FILES, server)
  const first = await vpJson(place, ['do', 'fix add'])
  assert.equal(first.code, 0, JSON.stringify(first.doc))
  const source = String(first.doc.result?.['run_id'])
  const main = git(place, 'rev-parse', 'main')
  const asked = server.requests.length
  for (const [args, code] of [
    [['--from', '99'], 'usage.params'],
    [['--from', '0'], 'usage.flag'],
    [['--from', '2', '--task', 'T9'], 'usage.params'],
    [['--from', '2', '--tier', 'Nobody'], 'usage.params'],
    [['--from', '2', '--tier', 'Local-Small', '--model', 'ollama:x'], 'usage.flag'],
    [['--from', '5'], 'usage.params'],
    [['--tier', 'Local-Small'], 'usage.flag'],
  ] as const)
    assert.equal((await vpJson(place, ['replay', source, ...args])).doc.error?.code, code)
  isFork = true
  const forked = await vpJson(place, ['replay', source, '--from', '3', '--model', 'openai_compatible:other'])
  assert.equal(forked.code, 0, `${JSON.stringify(forked.doc)}\n${forked.stderr}`)
  const id = String(forked.doc.result?.['run_id'])
  assert.deepEqual(forked.doc.result?.['fork'], { run_id: source, task: 'T1', attempt: 1, turn: 3 })
  const own = server.requests.slice(asked)
  assert.equal(own.length, 2, 'only the turns from the third on were asked')
  assert.deepEqual(own[0]?.messages, server.requests[2]?.messages, 'the same tree and the same words at the turn')
  assert.deepEqual([own[0]?.model, server.requests[2]?.model], ['other', 'scripted'])
  assert.equal(git(place, 'rev-parse', 'main'), main, 'nothing is brought home by itself')
  assert.equal(git(place, 'show', `vp/${id}:src/add.js`), 'export const add = (a, b) => b + a')
  assert.equal(git(place, 'show', `vp/${id}:src/note.js`), 'export const note = 1')
  assert.ok(idOf(place).includes(id))
  const receipt = (await receiptsOf(place)).find((one) => one.op === 'run.fork' && 'run_id' in one && one.run_id === id) as unknown as {
    detail: { origin: object; ledger: { receipts: number } }
  }
  assert.deepEqual(receipt.detail.origin, { run_id: source, task: 'T1', attempt: 1, turn: 3 })
  assert.ok(receipt.detail.ledger.receipts > 5)
  assert.ok(readFileSync(join(place.state, 'runs', id, 'replay_passport.json'), 'utf8').includes(source))
  for (const run of [source, id]) assert.equal((await vpJson(place, ['replay', run])).doc.result?.['equal'], true, run)
  assert.equal((await vpJson(place, ['verify'])).code, 0)
  const bundle = String((await vpJson(place, ['export', id])).doc.result?.['path'])
  assert.equal((await vpJson(place, ['verify', bundle])).doc.result?.['unaltered'], true, 'its bundle is proved, the turns of the other run too')
  assert.equal((await vpJson(place, ['replay', bundle])).doc.result?.['equal'], true)
  assert.equal(server.requests.length, asked + 2, 'a replay asks nobody')
})

test('a fork of a second attempt begins with its files and its feedback, and goes on after a pause', async (t) => {
  let isFork = false
  const server = await startScriptedServer((request): ScriptedAnswer => {
    const { turn, feedback } = turnOf(request)
    if (isFork && turn === 2) return { fault: 'status', status: 401 }
    return (feedback === null ? [NOTE, SUBMIT] : [EDIT, SUBMIT])[turn - 1] ?? SUBMIT
  })
  t.after(() => server.close())
  const place = makePlace(t, FILES, server)
  const first = await vpJson(place, ['do', 'fix add'])
  assert.equal(first.code, 0, JSON.stringify(first.doc))
  const source = String(first.doc.result?.['run_id'])
  const asked = server.requests.length
  isFork = true
  const paused = await vpJson(place, ['replay', source, '--from', '2'])
  assert.equal(paused.code, 8, JSON.stringify(paused.doc))
  const id = String(paused.doc.result?.['run_id'])
  isFork = false
  const done = await vpJson(place, ['resume', id])
  assert.equal(done.code, 0, `${JSON.stringify(done.doc)}\n${done.stderr}`)
  const own = server.requests.slice(asked)
  assert.equal(own.length, 2)
  for (const request of own) assert.deepEqual(request.messages, server.requests[asked - 1]?.messages)
  assert.equal(git(place, 'show', `vp/${id}:src/note.js`), 'export const note = 1')
  assert.equal((await vpJson(place, ['replay', id])).doc.result?.['equal'], true)
})

test('where the turns before are not the recorded ones, no model is asked', async (t) => {
  const server = await startScriptedServer((request): ScriptedAnswer => [READ, EDIT, SUBMIT][turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => server.close())
  const place = makePlace(t, FILES, server)
  const { doc } = await vpJson(place, ['do', 'fix add'])
  const source = String(doc.result?.['run_id'])
  const file = join(place.state, 'runs', source, 'project.json')
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"test"', '"other"').replace('"other": {', '"test": {'))
  const asked = server.requests.length
  const forked = await vpJson(place, ['replay', source, '--from', '3'])
  assert.equal(forked.doc.error?.code, 'model.recording_differs', JSON.stringify(forked.doc))
  assert.match(forked.doc.error?.message ?? '', /T1, turn 1/)
  assert.equal(server.requests.length, asked)
})

test('a fork on a tier of the policy that vp comes with: no code leaves without a yes', async (t) => {
  const server = await startScriptedServer((request): ScriptedAnswer => [READ, EDIT, SUBMIT][turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => server.close())
  const place = makePlace(t, FILES, server)
  assert.equal((await vpJson(place, ['do', 'fix add'])).code, 0)
  const { code, doc } = await vpJson(place, ['replay', '--from', '2', '--tier', 'API-Premium'], { env: { ANTHROPIC_API_KEY: `sk-ant-${'a'.repeat(40)}` } })
  assert.deepEqual([code, doc.error?.code], [5, 'model.consent'], JSON.stringify(doc))
  assert.match(JSON.stringify(doc.error), /api\.anthropic\.com would see files of this repository; \$\d+\.\d\d in/)
  assert.equal((await receiptsOf(place)).filter(({ op }) => op === 'model.consent').length, 0)
})

test('a fork with a tier: at its place and for its price', async (t) => {
  const server = await startScriptedServer((request): ScriptedAnswer => [READ, EDIT, SUBMIT][turnOf(request).turn - 1] ?? SUBMIT)
  const big = await startScriptedServer((request): ScriptedAnswer => [READ, EDIT, SUBMIT][turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => Promise.all([server.close(), big.close()]))
  const place = makePlace(t, FILES, server)
  const limits = { max_cost_per_min_usd: 1, max_tokens_per_min: 90_000, expected_latency_ms: { p50: 1, p95: 9 }, context_limit_tokens: 32_768 }
  const model = { provider: 'openai_compatible', model: 'big', endpoint: big.baseUrl, price: { in_per_1k_usd: 0.01, out_per_1k_usd: 0.01 } }
  const policy = {
    version: '2026-11-29-801',
    default_provider: { provider: 'openai_compatible', model: 'big', endpoint: big.baseUrl },
    lane_overrides: {},
    tiers: { 'API-Big': { ...limits, tools: ['code-edit'], network: 'outbound', models: [model] } },
  }
  const file = join(place.root, 'policy.json')
  writeFileSync(file, JSON.stringify(policy))
  assert.equal((await vpJson(place, ['model', 'set', file])).code, 0)
  assert.equal((await vpJson(place, ['do', 'fix add'])).code, 0)
  const forked = await vpJson(place, ['replay', '--from', '2', '--tier', 'API-Big'])
  assert.equal(forked.code, 0, JSON.stringify(forked.doc))
  assert.ok(big.requests.length > 0)
  assert.ok(Number(forked.doc.result?.['cost_usd']) > 0.001, JSON.stringify(forked.doc.result))
})
