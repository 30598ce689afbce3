/** What only Ollama's own wire has: a window that vp sets, a model that is not there, one without tools, one that is elsewhere. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startOllama, type OllamaOptions, type OllamaServer } from '../../../test/servers/ollama.ts'
import type { VpError } from '../../core/errors.ts'
import { chooseModel } from '../choose.ts'
import type { Message, ModelRequest, ModelUsage, Provider } from '../contract.ts'
import { openProvider, type ProviderOptions } from './index.ts'

const NAME = 'qwen2.5-coder:7b'
const REQUEST: ModelRequest = {
  messages: [
    { role: 'system', text: 'You are an engineer.' },
    { role: 'user', text: 'Fix it.' },
  ],
  tools: [{ name: 'read', description: 'Show a file.', schema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] } }],
  max_tokens: 300,
  temperature: 0,
}
const at = (turn: number) => ({ task: 'T1', attempt: 1, turn })
const until = new AbortController().signal

async function open(t: TestContext, options: OllamaOptions, more: Partial<ProviderOptions> = {}, model = NAME): Promise<[Provider, OllamaServer]> {
  const server = await startOllama(options)
  t.after(() => server.close())
  const { spec } = chooseModel({ VP_MODEL: `ollama:${model}`, VP_MODEL_BASE_URL: `${server.url}/v1` }, null)
  return [await openProvider(spec, { stallMs: 5000, ...more }), server]
}

const windows: [title: string, options: OllamaOptions, measured: number | null, want: number][] = [
  ['as trained', { models: [{ name: NAME, contextLength: 16_384 }] }, null, 16_384],
  ['the ordinary one of a model that was trained for more', { models: [{ name: NAME, contextLength: 131_072, architecture: 'phi3' }] }, null, 32_768],
  ['what its Modelfile sets', { models: [{ name: NAME, parameters: 'stop    "<|end|>"\nnum_ctx                        8192' }] }, null, 8192],
  ['what was measured, before all', { models: [{ name: NAME, parameters: 'num_ctx 8192' }] }, 12_288, 12_288],
]
for (const [title, options, measured, want] of windows)
  test(`num_ctx is ${title}`, async (t) => {
    const digests: string[] = []
    const [provider, server] = await open(t, options, { measuredWindow: async (digest) => (digests.push(digest), measured) })
    assert.equal(provider.facts?.(), null, 'nothing is asked for its own sake')
    await provider.answer(REQUEST, at(1), until)
    await provider.answer(REQUEST, at(2), until)
    assert.deepEqual([provider.facts?.()?.server, provider.facts?.()?.digest], ['ollama', 'd'.repeat(64)])
    assert.deepEqual([server.chats.map((chat) => chat.options?.num_ctx), await provider.window?.(until)], [[want, want], want])
    assert.deepEqual([server.chats[0]?.truncate, server.chats[0]?.shift], [false, false])
    assert.deepEqual(digests, ['d'.repeat(64)], 'asked once')
    assert.equal(server.came.length, 4, 'the server is described once')
  })

test('a model that is not pulled names what pulls it, and cost nothing', async (t) => {
  const [provider] = await open(t, { models: [] })
  await assert.rejects(provider.answer(REQUEST, at(1), until), (error: VpError) => {
    assert.deepEqual(
      [error.code, error.details.next, error.details.data?.['spent']],
      ['model.not_found', [`vp model pull ollama:${NAME}`, `ollama pull ${NAME}`], 'nothing'],
    )
    return true
  })
})

test('a model that is passed on to another host is not asked', async (t) => {
  const [provider, server] = await open(t, { models: [{ name: NAME, remoteHost: 'https://ollama.com:443' }] })
  await assert.rejects(provider.answer(REQUEST, at(1), until), { code: 'model.consent', message: /passed on to https:\/\/ollama\.com/ })
  assert.equal(server.chats.length, 0)
})

test('a name without a tag is the latest', async (t) => {
  const seen: string[] = []
  const [provider] = await open(t, { models: [{ name: 'mine' }] }, { measuredWindow: async (digest) => (seen.push(digest), null) }, 'mine')
  assert.equal((await provider.answer(REQUEST, at(1), until)).text, 'ok')
  assert.equal(seen.length, 1)
})

const CONVERSATION: readonly Message[] = [
  ...REQUEST.messages,
  { role: 'assistant', text: 'I look.', calls: [{ id: 't1c1', name: 'read', arguments: { path: 'a.ts' } }] },
  { role: 'tool', call_id: 't1c1', name: 'read', text: 'const a = 1' },
  { role: 'user', text: 'Go on.' },
]

for (const [title, capabilities] of [
  ['says so', ['completion']],
  ['says so when it is asked', null],
] as const)
  test(`a model without tools that ${title} is offered them in words, and its calls are read from them`, async (t) => {
    const text = 'I read.\n<tool_call>\n{"name": "read", "arguments": {"path": "b.ts"}}\n</tool_call>'
    const models = [{ name: NAME, capabilities }]
    const [provider, server] = await open(t, { models, says: () => ({ text }) })
    const answer = await provider.answer({ ...REQUEST, messages: CONVERSATION }, at(2), until)
    assert.deepEqual([answer.text, answer.calls], ['I read.', [{ id: 't2c1', name: 'read', arguments: { path: 'b.ts' } }]])
    const sent = server.chats.at(-1)
    assert.equal(sent?.tools, undefined)
    assert.match(sent?.messages[0]?.content ?? '', /^You are an engineer\.\n\nYou have these tools[^]*\{"name":"read","description":"Show a file\."/)
    assert.deepEqual(
      sent?.messages.slice(1).map(({ role, content }) => `${role}: ${content}`),
      [
        'user: Fix it.',
        'assistant: I look.\n<tool_call>\n{"name":"read","arguments":{"path":"a.ts"}}\n</tool_call>',
        'user: <tool_response>\nconst a = 1\n</tool_response>\nGo on.',
      ],
    )
    const before = server.chats.length
    await provider.answer(REQUEST, at(3), until)
    assert.equal(server.chats.length, before + 1, 'it is not tried again')
  })

test('a prompt over the window is refused by a server that listens, and noticed on one that cuts', async (t) => {
  const line = 'const value = compute(index, "some words")\n'
  const long = (times: number): ModelRequest => ({ ...REQUEST, messages: [...REQUEST.messages, { role: 'user', text: line.repeat(times) }] })
  const models = [{ name: NAME, contextLength: 8192 }]
  const [listens] = await open(t, { models })
  await assert.rejects(listens.answer(long(2000), at(1), until), {
    code: 'model.too_large',
    message: /^the prompt is 9\d{4} characters, some 2\d{4} tokens; 127\.0\.0\.1:\d+ was asked for a window of 8192$/,
  })

  const [cuts] = await open(t, { models, isOld: true })
  await cuts.answer(long(400), at(1), until)
  await assert.rejects(cuts.answer(long(700), at(2), until), (error: VpError) => {
    assert.match(error.message, /read 8192 tokens of the prompt and left out the rest: 3\d{4} characters, some \d+ tokens, were sent/)
    assert.deepEqual(
      [error.code, error.details.data?.['tokens'], (error.details.data?.['spent'] as ModelUsage | undefined)?.tokens_in],
      ['model.truncated', 8192, 8192],
    )
    return true
  })
})

const ends: [title: string, instead: string, code: VpError['code']][] = [
  ['an error in the middle', '{"error":"an error was encountered while running the model"}\n', 'model.server'],
  ['an end that never came', '', 'model.cut'],
  ['half a line', '{"model":"x","mess', 'model.protocol'],
  ['a message that is none', '{"model":"x","message":"hello","done":true}\n', 'model.protocol'],
]
for (const [title, instead, code] of ends)
  test(`${title} is ${code}`, async (t) => {
    const [provider] = await open(t, { models: [{ name: NAME }], says: () => ({ text: 'I will', instead }) })
    await assert.rejects(provider.answer(REQUEST, at(1), until), { code })
  })
