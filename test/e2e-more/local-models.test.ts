/** Models on this machine as their servers show them: calls left in the words, a prompt cut without a word. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { makePlace, receiptsOf, vpJson } from '../e2e/kit.ts'
import { startChatServer } from '../servers/chat-servers.ts'
import { startOllama } from '../servers/ollama.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds two', () => assert.equal(add(2, 3), 5))\n",
}
const SUBMIT = { title: 'fix: add adds', summary: 'It subtracted.' }

const DIALECTS: Readonly<Record<string, readonly string[]>> = {
  'qwen2.5-coder: JSON and fences': [
    `{"name": "read", "arguments": {"path": "add.js"}}`,
    '```json\n{"name": "edit", "arguments": {"path": "add.js", "old": "a - b", "new": "a + b"}}\n```',
    'Here are the tests:\n\n```json\n{"name": "test", "arguments": {}}\n```\n',
    JSON.stringify({ name: 'submit', arguments: SUBMIT }),
  ],
  'qwen3-coder: XML, its opening tag lost': [
    'I look at the file.\n\n<function=read>\n<parameter=path>\nadd.js\n</parameter>\n</function>\n</tool_call>',
    '<tool_call>\n<function=edit>\n<parameter=path>\nadd.js\n</parameter>\n<parameter=old>\na - b\n</parameter>\n<parameter=new>\na + b\n</function>\n</tool_call>',
    '<think>\nNow <tool_call>s: the tests.\n</think>\n<tool_call>\n<function=test>\n</function>\n</tool_call>',
    `<tool_call>\n<function=submit>\n<parameter=title>\n${SUBMIT.title}\n</parameter>\n<parameter=summary>\n${SUBMIT.summary}\n</parameter>\n</function>\n</tool_call>`,
  ],
  'llama3.2: Python, several calls': [
    '[read(path="add.js")]',
    `[edit(path='add.js', old='a - b', new='a + b'), test()]`,
    `[submit(title="${SUBMIT.title}", summary="${SUBMIT.summary}")]`,
  ],
}
for (const [model, turns] of Object.entries(DIALECTS))
  test(`${model}: a task is done by calls in the words`, async (t) => {
    const server = await startScriptedServer((_request, n): ScriptedAnswer => ({ text: turns[n - 1] ?? 'I am done.' }))
    t.after(() => server.close())
    const place = makePlace(t, FILES, server)
    const { code, doc, stderr } = await vpJson(place, ['do', 'fix add'])
    assert.equal(code, 0, `${JSON.stringify(doc)}\n${stderr}`)
    assert.match(readFileSync(join(place.repository, 'add.js'), 'utf8'), /a \+ b/)
    assert.equal(server.requests.length, turns.length, 'no turn was lost')
    const sent = server.requests
      .at(-1)
      ?.messages.flatMap((message) => message.tool_calls ?? [])
      .map((call) => call.function.name)
    assert.deepEqual(sent?.slice(0, 2), ['read', 'edit'], 'they go back as calls')
    assert.equal((await vpJson(place, ['verify'])).code, 0)
  })

test('a prompt that the server cuts ends the task with both numbers, and its tokens are counted', async (t) => {
  const server = await startScriptedServer((_request, n): ScriptedAnswer => ({
    calls: [{ name: 'read', arguments: { path: `long-${n}.txt` } }],
    usage: { in: n === 1 ? 2000 : 2050, out: 9 },
  }))
  t.after(() => server.close())
  const long = Object.fromEntries([1, 2, 3].map((n) => [`long-${n}.txt`, `line ${n} of a long file\n`.repeat(300)]))
  const place = makePlace(t, { ...FILES, ...long }, server)
  const { code, doc } = await vpJson(place, ['do', 'fix add'])
  assert.deepEqual([code, doc.error?.code, doc.error?.next[0]], [8, 'model.truncated', ['vp', 'model', 'probe']], JSON.stringify(doc.error))
  const cut = (await receiptsOf(place)).find((receipt) => receipt.error?.code === 'model.truncated')
  assert.match(cut?.error?.message ?? JSON.stringify(doc), /read 2050 tokens of the prompt and left out the rest: \d+ characters, some \d+ tokens, were sent/)
  assert.equal(cut?.usage?.tokens_in, 2050)
  assert.ok(server.requests.length <= 6, 'and is not asked for ever')
})

const IN_WORDS = [
  ['read', { path: 'add.js' }],
  ['edit', { path: 'add.js', old: 'a - b', new: 'a + b' }],
  ['test', {}],
  ['submit', SUBMIT],
].map(([name, args]) => `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`)

/** As each is installed: nothing was set for tools, nothing for the window. */
const STOCK: Readonly<Record<string, (turn: (n: number) => string) => Promise<{ url: string; setting: string; close(): Promise<void> }>>> = {
  'Ollama, a model without tools': async (turn) => {
    let n = 0
    const server = await startOllama({ models: [{ name: 'phi4:14b', contextLength: 16_384, capabilities: ['completion'] }], says: () => ({ text: turn(++n) }) })
    return { url: server.url, setting: 'ollama:phi4:14b', close: server.close }
  },
  'llama.cpp without --jinja': async (turn) => {
    let n = 0
    const server = await startChatServer('llama.cpp', { model: 'phi', window: 8192, hasNoTools: true, says: () => ({ text: turn(++n) }) })
    return { url: server.baseUrl, setting: 'openai_compatible:phi', close: server.close }
  },
  'vLLM without --enable-auto-tool-choice': async (turn) => {
    let n = 0
    const server = await startChatServer('vllm', { model: 'qwen', window: 32_768, hasNoTools: true, says: () => ({ text: turn(++n) }) })
    return { url: server.baseUrl, setting: 'openai_compatible:qwen', close: server.close }
  },
}
for (const [title, start] of Object.entries(STOCK))
  test(`${title}: a task is done all the same`, async (t) => {
    const server = await start((n) => IN_WORDS[n - 1] ?? 'I am done.')
    t.after(() => server.close())
    const place = makePlace(t, FILES, undefined, { VP_MODEL: server.setting, VP_MODEL_BASE_URL: server.url })
    const { code, doc, stderr } = await vpJson(place, ['do', 'fix add'])
    assert.equal(code, 0, `${JSON.stringify(doc)}\n${stderr}`)
    assert.match(readFileSync(join(place.repository, 'add.js'), 'utf8'), /a \+ b/)
  })

test('an Ollama is asked once what its model is, and every receipt of the run says it', async (t) => {
  let n = 0
  const models = [{ name: 'phi4:14b', contextLength: 16_384, capabilities: ['completion'] }]
  const server = await startOllama({ models, says: () => ({ text: IN_WORDS[n++] ?? 'I am done.' }) })
  t.after(() => server.close())
  const place = makePlace(t, FILES, undefined, { VP_MODEL: 'ollama:phi4:14b', VP_MODEL_BASE_URL: server.url })
  assert.equal((await vpJson(place, ['do', 'fix add'])).code, 0)
  assert.deepEqual(
    server.came
      .map(({ path }) => path)
      .filter((path) => path !== '/api/chat')
      .toSorted(),
    ['/api/show', '/api/tags'],
  )
  const digests = (await receiptsOf(place))
    .filter(({ op }) => op === 'model.call')
    .map(({ detail }) => (detail as { snapshot?: { model_digest: string } }).snapshot?.model_digest)
  assert.deepEqual(
    digests,
    server.chats.map(() => 'd'.repeat(64)),
  )
})
