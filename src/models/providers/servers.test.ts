/** Each provider against the servers it is for, as those are on the wire: a whole conversation, its window, its refusals. */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { WIRES } from '../../../test/fixtures/model-wires.ts'
import { startChatServer, type ChatServer, type ChatServerKind, type ChatServerOptions } from '../../../test/servers/chat-servers.ts'
import { startVendor, type Vendor } from '../../../test/servers/vendors.ts'
import { chooseModel } from '../choose.ts'
import type { Message, ModelAnswer, ModelRequest, Provider } from '../contract.ts'
import { openProvider } from './index.ts'

const text = { type: 'string' }
const TOOLS = [
  { name: 'read', description: 'Show a file.', schema: { type: 'object', properties: { path: text }, required: ['path'] } },
  { name: 'test', description: 'Run the tests.', schema: { type: 'object', properties: {} } },
]
const START: readonly Message[] = [
  { role: 'system', text: 'You are an engineer.' },
  { role: 'user', text: 'Fix it: ä → ✓' },
]
const until = new AbortController().signal
const request = (messages: readonly Message[], max_tokens = 300): ModelRequest => ({ messages, tools: TOOLS, max_tokens, temperature: 0 })
const at = (turn: number) => ({ task: 'T1', attempt: 1, turn })

/** What the agent does with an answer. */
function after({ text: said, calls }: ModelAnswer): Message[] {
  return [{ role: 'assistant', text: said, calls }, ...calls.map(({ id, name }): Message => ({ role: 'tool', call_id: id, name, text: `${name} says: done` }))]
}

const CALLS = [
  { name: 'read', arguments: { path: 'a.ts' } },
  { name: 'test', arguments: {} },
]
const USAGE = { in: 120, out: 30, think: 0, cached: 0 }

/** Both numbers, in words, as far as a server tells them. */
const BOTH: Readonly<Record<ChatServerKind, RegExp>> = {
  'llama.cpp': /^the prompt is \d+ tokens, the window of 127\.0\.0\.1:\d+ is 4096$/,
  vllm: /^prompt and answer come to \d+ tokens, the window of 127\.0\.0\.1:\d+ is 4096$/,
  lm_studio: /^the prompt is \d+ tokens, the window of 127\.0\.0\.1:\d+ is 4096$/,
}

for (const vendor of ['openai', 'anthropic', 'google'] satisfies Vendor[])
  test(`${vendor}: turns of several calls, of words and calls, of malformed arguments, of nothing, are all taken`, async (t) => {
    const answers = [
      { calls: CALLS, usage: USAGE },
      { text: 'I look.', calls: CALLS.slice(1), usage: USAGE },
      ...(WIRES[vendor].hasRawArguments ? [{ calls: [{ name: 'read', arguments: '{"path": "sr' }], usage: USAGE }] : []),
      { text: 'done ✓', usage: USAGE },
    ]
    const server = await startVendor(vendor, 'k-0123456789', (n) => answers[n - 1] ?? { text: 'no more' })
    t.after(() => server.close())
    const setting = { VP_MODEL: `${vendor}:${WIRES[vendor].model}`, VP_MODEL_BASE_URL: `${server.url}/v1`, VP_MODEL_API_KEY: 'k-0123456789' }
    const provider = await openProvider(chooseModel(setting, null).spec, { stallMs: 5000 })
    const messages = [...START]
    for (const [index, said] of answers.entries()) {
      const answer = await provider.answer(request(messages), at(index + 1), until)
      assert.deepEqual([answer.text, answer.calls.length, answer.usage.tokens_in], [said.text ?? '', said.calls?.length ?? 0, 120])
      messages.push(...after(answer))
      if (answer.calls.length === 0) messages.push({ role: 'user', text: 'Go on.' })
    }
    assert.equal(server.came.length, answers.length)
    for (const [more, code] of [
      [{ VP_MODEL_API_KEY: 'k-another-one' }, 'model.auth'],
      [{ VP_MODEL: `${vendor}:nobody` }, 'model.not_found'],
    ] as const) {
      const other = await openProvider(chooseModel({ ...setting, ...more }, null).spec, { stallMs: 5000 })
      await assert.rejects(other.answer(request(START), at(1), until), { code })
    }
  })

async function open(t: TestContext, kind: ChatServerKind, options: Partial<ChatServerOptions> = {}): Promise<[Provider, ChatServer]> {
  const server = await startChatServer(kind, { model: 'qwen2.5-coder', window: 4096, trained: 32_768, ...options })
  t.after(() => server.close())
  const { spec } = chooseModel({ VP_MODEL: 'openai_compatible:qwen2.5-coder', VP_MODEL_BASE_URL: server.baseUrl }, null)
  return [await openProvider(spec, { stallMs: 5000 }), server]
}

for (const kind of ['llama.cpp', 'vllm', 'lm_studio'] satisfies ChatServerKind[])
  describe(kind, () => {
    test('thinking, words, calls and its own count', async (t) => {
      const [provider, server] = await open(t, kind, { says: () => ({ think: 'hm, hm', text: 'I look: ä → ✓', calls: CALLS }) })
      const heard: number[] = []
      const answer = await provider.answer(request(START), at(1), until, (tokens) => heard.push(tokens))
      assert.deepEqual([answer.text, answer.finish, answer.usage_source], ['I look: ä → ✓', 'tool_calls', 'provider'])
      assert.deepEqual(
        answer.calls.map(({ name, arguments: args }) => ({ name, arguments: args })),
        CALLS,
      )
      assert.ok(answer.usage.tokens_in > 50 && answer.usage.tokens_out > 20 && heard.length > 3)
      await provider.answer(request([...START, ...after(answer)]), at(2), until)
      assert.equal(server.chats[1]?.messages.filter(({ role }) => role === 'tool').length, 2)
    })

    test('the window is what it gives, not what the model was trained for', async (t) => {
      const [provider] = await open(t, kind)
      assert.equal(await provider.window?.(until), 4096)
    })

    test('what is longer is model.too_large, and free where nothing was begun', async (t) => {
      const [provider] = await open(t, kind)
      const long = [...START, { role: 'user' as const, text: 'const a = 1\n'.repeat(2000) }]
      await assert.rejects(provider.answer(request(long), at(1), until), { code: 'model.too_large', message: BOTH[kind] })
    })
  })

for (const kind of ['llama.cpp', 'vllm'] satisfies ChatServerKind[])
  test(`${kind} that was started without tools is offered them in words`, async (t) => {
    const says = () => ({ text: `<tool_call>\n${JSON.stringify(CALLS[0])}\n</tool_call>` })
    const [provider, server] = await open(t, kind, { hasNoTools: true, says })
    const answer = await provider.answer(request(START), at(1), until)
    assert.deepEqual(answer.calls, [{ id: 't1c1', ...CALLS[0] }])
    await provider.answer(request([...START, ...after(answer)]), at(2), until)
    assert.deepEqual(
      server.chats.map((chat) => chat.tools !== undefined),
      [true, false, false],
    )
    assert.match(server.chats[2]?.messages.at(-1)?.content ?? '', /^<tool_response>\nread says: done/)
  })

test('a llama.cpp that still loads is asked again by the meter, a model that vLLM does not serve is not', async (t) => {
  const [loading] = await open(t, 'llama.cpp', { loads: 1 })
  await assert.rejects(loading.answer(request(START), at(1), until), { code: 'model.server', message: /503: Loading model/ })
  const [other] = await open(t, 'vllm', { model: 'another' })
  await assert.rejects(other.answer(request(START), at(1), until), { code: 'model.not_found' })
  assert.equal(await other.window?.(until), null, 'nothing is known of it')
})

test('a server that says nothing of its window leaves it unknown', async (t) => {
  const server = await startVendor('openai', 'k', () => ({ text: 'ok', usage: USAGE }))
  t.after(() => server.close())
  const { spec } = chooseModel({ VP_MODEL: 'openai_compatible:x', VP_MODEL_BASE_URL: `${server.url}/v1` }, null)
  assert.equal(await (await openProvider(spec, { stallMs: 1000 })).window?.(until), null)
})
