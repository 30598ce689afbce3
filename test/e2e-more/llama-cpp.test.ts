/** llama.cpp in process, for real: models that the test writes, loaded by llama.cpp itself, one thread. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { VpError } from '../../src/core/errors.ts'
import { AGENT_TOOLS } from '../../src/agent/tools.ts'
import { chooseModel } from '../../src/models/choose.ts'
import type { ModelRequest, Provider } from '../../src/models/contract.ts'
import { openProvider } from '../../src/models/providers/index.ts'
import { makePlace, receiptsOf, vp, vpJson } from '../e2e/kit.ts'
import { writeRandomGguf, writeScriptedGguf } from '../fixtures/gguf.ts'
import { LLAMA_DIRECTORY, modelDirectory, noLlama } from '../fixtures/llama.ts'

const options = { skip: noLlama }
const REQUEST: ModelRequest = {
  messages: [
    { role: 'system', text: 'You are an engineer.' },
    { role: 'user', text: 'Fix it: ä → ✓' },
  ],
  tools: AGENT_TOOLS,
  max_tokens: 300,
  temperature: 0,
}
const until = new AbortController().signal
const at = (turn: number) => ({ task: 'T1', attempt: 1, turn })

function open(file: string, more: { grammar?: 'repair' | 'always'; seed?: number; maxText?: number; window?: number } = {}): Promise<Provider> {
  const { spec } = chooseModel({ VP_MODEL: `llama_cpp:${file}` }, null)
  const { window, grammar = 'repair', ...rest } = more
  return openProvider(spec, { stallMs: 60_000, window, inProcess: { directories: [LLAMA_DIRECTORY], threads: 1, grammar, ...rest } })
}

const call = (name: string, args: object) => `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`

test('words, a call, and its count, through the model’s own template', options, async (t) => {
  const file = join(modelDirectory(t), 'a.gguf')
  writeScriptedGguf(file, { 2: 'I look: ä → ✓', 4: `Now the file.\n${call('read', { path: 'a.ts' })}` })
  const provider = await open(file)
  const first = await provider.answer(REQUEST, at(1), until)
  assert.deepEqual([first.text, first.calls, first.finish, first.usage_source], ['I look: ä → ✓', [], 'stop', 'provider'])
  assert.equal(first.usage.tokens_out, 1)
  const messages = [...REQUEST.messages, { role: 'assistant', text: first.text, calls: [] }, { role: 'user', text: 'Go on.' }] as const
  const second = await provider.answer({ ...REQUEST, messages }, at(2), until)
  assert.deepEqual([second.text, second.calls], ['Now the file.', [{ id: 't2c1', name: 'read', arguments: { path: 'a.ts' } }]])
  assert.ok(second.usage.tokens_in > first.usage.tokens_in)
  assert.equal(await provider.window?.(until), 32_768)
})

test('a prompt over the window is refused before it is asked, with both numbers', options, async (t) => {
  const file = join(modelDirectory(t), 'a.gguf')
  writeScriptedGguf(file, { 2: 'ok' }, { contextLength: 2048 })
  const provider = await open(file)
  await assert.rejects(provider.answer(REQUEST, at(1), until), (error: VpError) => {
    assert.match(error.message, /^the prompt is \d{4} tokens, the window of this process 2048$/)
    assert.deepEqual([error.code, error.details.data?.['spent']], ['model.too_large', 'nothing'])
    return true
  })
})

test('a call that comes to nothing is said again under a grammar', options, async (t) => {
  const file = join(modelDirectory(t), 'a.gguf')
  writeScriptedGguf(file, { 2: '<tool_call>\n{"name": "read", "arguments": {"path": "a.ts' })
  const provider = await open(file, { maxText: 12 })
  const answer = await provider.answer(REQUEST, at(1), until)
  const [called] = answer.calls
  assert.ok(called && AGENT_TOOLS.some((tool) => tool.name === called.name), JSON.stringify(answer))
})

test('random weights under the grammar say calls of offered tools and nothing else', options, async (t) => {
  const file = join(modelDirectory(t), 'a.gguf')
  writeRandomGguf(file, 7)
  const provider = await open(file, { grammar: 'always', seed: 3, maxText: 12 })
  const names = new Set<string>()
  for (let turn = 1; turn <= 20; turn++) {
    const messages = [...REQUEST.messages, { role: 'user' as const, text: `${turn}` }]
    const answer = await provider.answer({ ...REQUEST, messages, temperature: 1.5 }, at(turn), until)
    assert.equal(answer.calls.length, 1, JSON.stringify(answer))
    for (const { name } of answer.calls) names.add(name)
  }
  assert.ok(names.size > 2, [...names].join())
})

test('what is no model, a file that is not there, a call that is cancelled', options, async (t) => {
  const directory = modelDirectory(t)
  writeFileSync(join(directory, 'b.gguf'), 'GGUF and nothing')
  await assert.rejects((await open(join(directory, 'b.gguf'))).answer(REQUEST, at(1), until), { code: 'model.request', message: /is no whole GGUF/ })
  await assert.rejects((await open(join(directory, 'none.gguf'))).answer(REQUEST, at(1), until), { code: 'model.not_found' })
  const file = join(directory, 'c.gguf')
  writeRandomGguf(file, 1)
  const abort = new AbortController()
  const provider = await open(file, { grammar: 'always' })
  const asked = provider.answer({ ...REQUEST, max_tokens: 20_000, temperature: 1 }, at(1), abort.signal, () => abort.abort())
  await assert.rejects(asked, { code: 'cancelled' })
})

test('a call that is cancelled while its prompt is evaluated ends, and the next one is answered', options, async (t) => {
  const file = join(modelDirectory(t), 'c.gguf')
  writeRandomGguf(file, 1, { contextLength: 32_768 })
  const provider = await open(file, { grammar: 'always', maxText: 12 })
  await provider.answer(REQUEST, at(1), until)
  const other = [...REQUEST.messages, { role: 'user' as const, text: 'other '.repeat(3000) }]
  const abort = new AbortController()
  const cancelled = provider.answer({ ...REQUEST, messages: other }, at(3), abort.signal)
  setTimeout(() => abort.abort(), 50)
  await assert.rejects(cancelled, { code: 'cancelled' })
  assert.ok((await provider.answer(REQUEST, at(4), until)).calls.length > 0)
})

test('without node-llama-cpp the error says what installs it', async (t) => {
  const file = join(modelDirectory(t), 'a.gguf')
  writeScriptedGguf(file, { 2: 'ok' })
  const { spec } = chooseModel({ VP_MODEL: `llama_cpp:${file}` }, null)
  const provider = await openProvider(spec, { stallMs: 1000, inProcess: { directories: ['/nowhere'], threads: 1, grammar: 'repair' } })
  await assert.rejects(provider.answer(REQUEST, at(1), until), (error: VpError) => {
    assert.deepEqual([error.code, error.details.next?.[0]], ['model.none', 'npm install --prefix /nowhere node-llama-cpp@3.22.1'])
    return true
  })
})

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds two', () => assert.equal(add(2, 3), 5))\n",
}

test('without node-llama-cpp, or without a whole file, nothing begins: the install command is told by vp do, doctor and set', async (t) => {
  const directory = modelDirectory(t)
  const file = join(directory, 'a.gguf')
  writeScriptedGguf(file, { 2: 'ok' })
  const place = makePlace(t, FILES, undefined, { VP_MODEL: `llama_cpp:${file}` })
  const install = /^npm install --prefix \S+ node-llama-cpp@/
  const done = await vpJson(place, ['do', 'fix add'])
  assert.deepEqual([done.code, done.doc.error?.code], [8, 'model.none'])
  assert.match(done.doc.error?.next[0]?.join(' ') ?? '', install)
  assert.equal((await receiptsOf(place)).filter(({ op }) => op === 'run.start').length, 0, 'no run, no tokens')
  const doctor = await vp(place, ['doctor'])
  assert.match(doctor.stdout, /^x model .*needs node-llama-cpp/m)
  assert.match(doctor.stderr, /npm install --prefix/)
  const broken = join(directory, 'b.gguf')
  writeFileSync(broken, 'GGUF and nothing')
  assert.match((await vp(place, ['doctor'], { env: { VP_MODEL: `llama_cpp:${broken}` } })).stdout, /^x model .*is no whole GGUF/m)
  const set = await vp(place, ['model', 'set', 'llama_cpp:/nonexistent.gguf'])
  assert.match(set.stderr, /there is no model file \/nonexistent\.gguf/)
})

test('a tier of a policy whose model runs in process, and cannot: its reason, not a crash', async (t) => {
  const place = makePlace(t, FILES)
  const tier = { max_cost_per_min_usd: 0, max_tokens_per_min: 90_000, expected_latency_ms: { p50: 1, p95: 9 }, context_limit_tokens: 32_768 }
  const named = { provider: 'llama_cpp', model: '/nonexistent.gguf' }
  const file = join(place.root, 'policy.json')
  const tiers = { 'Local-Small': { ...tier, tools: ['code-edit'], network: 'none', models: [named] } }
  writeFileSync(file, JSON.stringify({ version: '2026-11-29-801', default_provider: named, lane_overrides: {}, tiers }))
  assert.equal((await vpJson(place, ['model', 'set', file])).code, 0)
  const { doc } = await vpJson(place, ['do', 'fix add'])
  assert.equal(doc.error?.code, 'model.no_eligible_tier', JSON.stringify(doc))
  assert.match(JSON.stringify(doc.error), /there is no model file \/nonexistent\.gguf/)
})

test('vp do with a model in its own process, which is counted, committed and ends', options, async (t) => {
  const file = join(modelDirectory(t), 'a.gguf')
  writeScriptedGguf(file, {
    2: call('read', { path: 'add.js' }),
    4: `${call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' })}\n${call('test', {})}`,
    6: call('submit', { title: 'fix: add adds', summary: 'It subtracted.' }),
  })
  const place = makePlace(t, FILES, undefined, { VP_MODEL: `llama_cpp:${file}`, VP_LLAMA_CPP: LLAMA_DIRECTORY, VP_LLAMA_THREADS: '1' })
  const { code, doc, stderr } = await vpJson(place, ['do', 'fix add'])
  assert.equal(code, 0, `${JSON.stringify(doc)}\n${stderr}`)
  assert.match(readFileSync(join(place.repository, 'add.js'), 'utf8'), /a \+ b/)
  const receipts = (await receiptsOf(place)).filter((receipt) => receipt.op === 'model.call')
  assert.deepEqual([receipts.length, receipts.every((one) => (one.usage?.tokens_in ?? 0) > 1000)], [3, true], JSON.stringify(receipts[0]))
  const digest = createHash('sha256').update(readFileSync(file)).digest('hex')
  for (const { detail } of receipts) {
    const { snapshot } = detail as unknown as { snapshot: { model_digest: string; template_sha: string; parameters: object } }
    assert.deepEqual([snapshot.model_digest, snapshot.template_sha.length, snapshot.parameters], [digest, 64, { n_ctx: '32768' }])
  }
  assert.equal((await vpJson(place, ['replay'])).doc.result?.['equal'], true)
  writeScriptedGguf(file, { 2: 'another model' })
  const refused = await vpJson(place, ['replay'])
  assert.deepEqual([refused.code, refused.doc.error?.code], [3, 'replay.drift'])
  assert.match(refused.doc.error?.hint ?? JSON.stringify(refused.doc.error), new RegExp(`digest was ${digest.slice(0, 12)}`))
  assert.equal((await vpJson(place, ['replay', '--allow-drift'])).doc.result?.['equal'], true)
  const doctor = await vpJson(place, ['doctor'])
  assert.match(JSON.stringify(doctor.doc.result?.['checks']), /llama_cpp:.{0,120} at this process/)
})
