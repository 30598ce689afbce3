/** A recording answers what was asked, at its place and in its words, and names the first difference otherwise. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ModelRequest } from './contract.ts'
import { parseRecording, printRecording, recordedProvider, requestSha, type Exchange } from './recorded.ts'

const asks = (text: string): ModelRequest => ({ messages: [{ role: 'user', text }], tools: [], max_tokens: 10, temperature: 0 })
const usage = { tokens_in: 1, tokens_out: 1, tokens_think: 0, tokens_cached: 0, tokens_tool_use: 0 }
const exchange = (task: string, question: string, text: string): Exchange => ({
  task,
  attempt: 1,
  turn: 1,
  request: asks(question),
  request_sha: requestSha(asks(question)),
  answer: { text, calls: [], finish: 'stop', usage, usage_source: 'provider' },
})
const RECORDING = [exchange('T1', 'on the base', 'rehearsed'), exchange('T1', 'on the branch', 'run'), exchange('T2', 'x', 'y')]
const place = (task: string) => ({ task, attempt: 1, turn: 1 })
const { signal } = new AbortController()

test('a place may hold several requests: each has its own answer', async () => {
  const provider = recordedProvider(parseRecording(printRecording(RECORDING)), 'recorded')
  assert.equal((await provider.answer(asks('on the base'), place('T1'), signal)).text, 'rehearsed')
  assert.equal((await provider.answer(asks('on the branch'), place('T1'), signal)).text, 'run')
})

test('another request is refused with the first difference, another place with its name', async () => {
  const provider = recordedProvider(RECORDING, 'recorded')
  await assert.rejects(provider.answer(asks('y'), place('T2'), signal), /T2, attempt 1, turn 1: request\.messages\[0\]\.text, character 1/)
  await assert.rejects(provider.answer(asks('x'), place('T3'), signal), /no answer for T3, attempt 1, turn 1/)
})

test('the same words asked with other parameters are another request', async () => {
  const provider = recordedProvider(RECORDING, 'recorded')
  const { temperature, max_tokens } = asks('x')
  for (const [field, change] of Object.entries({ temperature: temperature + 0.5, max_tokens: max_tokens + 1 }))
    await assert.rejects(provider.answer({ ...asks('x'), [field]: change }, place('T2'), signal), new RegExp(`request\\.${field} is not what was recorded`))
})

test('a line that was edited by hand is no exchange', () => {
  assert.throws(() => parseRecording(printRecording(RECORDING).replace('on the base', 'on the bass')), /line 1/)
})
