/** How servers that call themselves compatible differ, each as it was seen on the wire: what is meant comes out the same. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { chooseModel } from '../choose.ts'
import type { VpError } from '../../core/errors.ts'
import type { ModelAnswer, ModelRequest, ModelUsage, Provider } from '../contract.ts'
import { openaiCompatible } from './openai-compatible.ts'

let body: { readonly type: string; readonly text: string }
let connections = 0
const server = createServer((incoming, response) => {
  incoming.resume()
  incoming.on('end', () => response.writeHead(200, { 'content-type': body.type }).end(body.text))
})
server.on('connection', () => connections++)
let provider: Provider

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  provider = openaiCompatible(chooseModel({ VP_MODEL: 'openai_compatible:x', VP_MODEL_BASE_URL: url }, null).spec, { stallMs: 2000 })
})
after(() => {
  server.close()
  server.closeAllConnections()
})

const QUESTION: ModelRequest = { messages: [{ role: 'user', text: 'go' }], tools: [], max_tokens: 10, temperature: 0 }
const ask = (): Promise<ModelAnswer> => provider.answer(QUESTION, { task: 'T1', attempt: 1, turn: 1 }, new AbortController().signal)
const streamed = (...chunks: readonly object[]) => `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`
const delta = (value: object, finish: string | null = null) => ({ choices: [{ index: 0, delta: value, finish_reason: finish }] })
const call = (part: object) => delta({ tool_calls: [part] })
const END = delta({}, 'tool_calls')
const TWO = [
  { id: 't1c1', name: 'read', arguments: { path: 'a' } },
  { id: 't1c2', name: 'test', arguments: {} },
]

const streams: [title: string, chunks: object[], want: Partial<ModelAnswer>][] = [
  [
    'two calls, both with index 0 (Ollama before 0.6)',
    [
      call({ index: 0, id: 'a', function: { name: 'read', arguments: '{"path":"a"}' } }),
      call({ index: 0, id: 'b', function: { name: 'test', arguments: '{}' } }),
      END,
    ],
    { calls: TWO },
  ],
  [
    'two calls without index or id',
    [
      call({ function: { name: 'read', arguments: '{"path":' } }),
      call({ function: { arguments: '"a"}' } }),
      call({ function: { name: 'test', arguments: '' } }),
      END,
    ],
    { calls: TWO },
  ],
  [
    'calls in turns, by index',
    [
      call({ index: 0, id: 'a', function: { name: 'read', arguments: '{"path"' } }),
      call({ index: 1, id: 'b', function: { name: 'test', arguments: '' } }),
      call({ index: 0, function: { arguments: ':"a"}' } }),
      call({ index: 1, function: { arguments: '{}' } }),
      END,
    ],
    { calls: TWO },
  ],
  [
    'name and id with each part',
    [
      call({ index: 0, id: 'a', function: { name: 'read', arguments: '{"path"' } }),
      call({ index: 0, id: 'a', function: { name: 'read', arguments: ':"a"}' } }),
      call({ index: 1, id: 'b', function: { name: 'test', arguments: '{}' } }),
      END,
    ],
    { calls: TWO },
  ],
  [
    'arguments as an object, the end said as stop',
    [
      call({ index: 0, id: 'a', function: { name: 'read', arguments: { path: 'a' } } }),
      call({ index: 1, id: 'b', function: { name: 'test', arguments: null } }),
      delta({}, 'stop'),
    ],
    { calls: TWO, finish: 'tool_calls' },
  ],
  [
    'several calls in one chunk',
    [
      delta({
        tool_calls: [
          { index: 0, function: { name: 'read', arguments: '{"path":"a"}' } },
          { index: 1, function: { name: 'test', arguments: '{}' } },
        ],
      }),
      END,
    ],
    { calls: TWO },
  ],
  [
    'thinking beside the answer (vLLM)',
    [delta({ reasoning_content: 'hm' }), delta({ reasoning: 'hm', content: null }), delta({ content: 'ok' }, 'stop')],
    { text: 'ok' },
  ],
  [
    'chunks without choices before, and usage after the end',
    [
      { choices: [], prompt_filter_results: [] },
      delta({ content: 'ok' }, 'stop'),
      { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4, prompt_tokens_details: null } },
    ],
    { text: 'ok', usage: { tokens_in: 9, tokens_out: 4, tokens_think: 0, tokens_cached: 0, tokens_tool_use: 0 }, usage_source: 'provider' },
  ],
]
for (const [title, chunks, want] of streams)
  test(title, async () => {
    body = { type: 'text/event-stream; charset=utf-8', text: streamed(...chunks) }
    const answer = await ask()
    for (const [key, value] of Object.entries(want)) assert.deepEqual(answer[key as keyof ModelAnswer], value, key)
  })

test('a whole completion instead of a stream', async () => {
  const tool_calls = TWO.map(({ name, arguments: args }) => ({ function: { name, arguments: JSON.stringify(args) } }))
  body = { type: 'application/json', text: JSON.stringify({ choices: [{ message: { content: 'I look.', tool_calls } }] }) }
  const answer = await ask()
  assert.deepEqual([answer.text, answer.calls, answer.finish], ['I look.', TWO, 'tool_calls'])
})

const failures: [title: string, type: string, text: string, code: string][] = [
  ['an error as a word in the stream', 'text/event-stream', 'data: {"error":"no memory left"}\n\n', 'model.server'],
  ['null in the stream', 'text/event-stream', 'data: null\n\n', 'model.protocol'],
  ['choices that are no list', 'text/event-stream', 'data: {"choices":{"0":1}}\n\n', 'model.protocol'],
  ['5 MB without a line end', 'text/event-stream', `data: ${'x'.repeat(5_000_000)}`, 'model.protocol'],
  ['a document of 5 MB', 'application/json', `{"a":"${'x'.repeat(5_000_000)}"}`, 'model.protocol'],
  ['words that decline', 'text/event-stream', streamed(delta({ refusal: 'I cannot' }), delta({}, 'stop')), 'model.refused'],
  ['a stream without a reason for its end', 'text/event-stream', streamed(delta({ content: 'hm' })), 'model.cut'],
]
for (const [title, type, text, code] of failures)
  test(`${title} is ${code}`, async () => {
    body = { type, text }
    await assert.rejects(ask(), { code })
  })

test('turns share one connection', async () => {
  body = { type: 'text/event-stream', text: streamed(delta({ content: 'ok' }, 'stop')) }
  await ask()
  const before = connections
  await ask()
  await ask()
  assert.equal(connections, before)
})

test('calls that the server left in the words are calls, and arguments are read as they are meant', async () => {
  const tools = ['read', 'test'].map((name) => ({ name, description: '', schema: { type: 'object', properties: { path: { type: 'string' } } } }))
  const asked = async (...chunks: readonly object[]) => {
    body = { type: 'text/event-stream', text: streamed(...chunks) }
    return provider.answer({ ...QUESTION, tools }, { task: 'T1', attempt: 1, turn: 1 }, new AbortController().signal)
  }
  const said = await asked(
    delta({ content: 'I look.\n\n<function=read>\n<parameter=path>\na\n</para' }),
    delta({ content: 'meter>\n</function>\n</tool_call>' }, 'stop'),
  )
  assert.deepEqual([said.text, said.calls, said.finish], ['I look.', [TWO[0]], 'tool_calls'])
  const words = await asked(delta({ content: 'I would call `read`.' }, 'stop'))
  assert.deepEqual([words.text, words.calls, words.finish], ['I would call `read`.', [], 'stop'])
  for (const input of ['{"path": "a",}', "{'path': 'a'}", '{"path": "a"', JSON.stringify('{"path":"a"}')])
    assert.deepEqual((await asked(call({ index: 0, id: 'a', function: { name: 'read', arguments: input } }), END)).calls, [TWO[0]], input)
  const cut = await asked(call({ index: 0, id: 'a', function: { name: 'read', arguments: '{"path": "a"' } }), delta({}, 'length'))
  assert.deepEqual(cut.calls[0]?.arguments, { malformed: '{"path": "a"' })
})

test('a prompt that the server cut is an error with both numbers, and what it cost', async () => {
  const usage = (prompt_tokens: number) => ({ choices: [], usage: { prompt_tokens, completion_tokens: 4 } })
  const turn = (n: number, task: string, tokens: number) => {
    body = { type: 'text/event-stream', text: streamed(delta({ content: 'ok' }, 'stop'), usage(tokens)) }
    const messages = [{ role: 'user' as const, text: 'const a = 1\n'.repeat(n) }]
    return provider.answer({ ...QUESTION, messages }, { task, attempt: 1, turn: 1 }, new AbortController().signal)
  }
  await assert.rejects(turn(5000, 'T2', 2050), {
    code: 'model.truncated',
    message: /^127\.0\.0\.1:\d+ read 2050 tokens of the prompt and left out the rest: 65\d{3} characters, some 18\d00 tokens, were sent$/,
  })
  await turn(1500, 'T3', 4096)
  await assert.rejects(turn(3000, 'T3', 4096), (error: VpError) => {
    assert.deepEqual([error.code, (error.details.data?.['spent'] as ModelUsage | undefined)?.tokens_in], ['model.truncated', 4096])
    return true
  })
  assert.equal((await turn(3000, 'T4', 9000)).text, 'ok')
})
