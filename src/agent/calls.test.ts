/** The calls of one answer: what may go at once goes at once, and what came of it stands in their order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VpError } from '../core/errors.ts'
import type { ToolCall } from '../models/contract.ts'
import { callAll, together, type AgentTool, type Calling } from './calls.ts'

const call = (name: string, n: number): ToolCall => ({ id: `c${n}`, name, arguments: {} })
const names = (groups: readonly (readonly ToolCall[])[]) => groups.map((group) => group.map(({ name }) => name).join('+'))

const GROUPS: [title: string, calls: string[], groups: string[]][] = [
  ['reads go together', ['read', 'list', 'search', 'read'], ['read+list+search+read']],
  [
    'a change waits, and so does what comes after it',
    ['read', 'edit', 'read', 'read', 'test', 'run', 'write'],
    ['read', 'edit', 'read+read', 'test', 'run', 'write'],
  ],
  ['what nobody knows goes alone', ['read', 'bash', 'read'], ['read', 'bash', 'read']],
  ['nothing', [], []],
]
for (const [title, calls, groups] of GROUPS) test(`together: ${title}`, () => assert.deepEqual(names(together(calls.map(call))), groups))

function calling(tool: AgentTool['call'], name = 'read'): Calling {
  const spec = { name, description: '', schema: {} }
  return {
    ports: { tools: [{ spec, call: tool }], onRefused: async () => undefined, onTool: () => undefined, onTold: () => undefined },
    turn: 3,
    finish: 'tool_calls',
    told: new Set(),
    signal: new AbortController().signal,
    ends: ({ code }) => code === 'cancelled',
  }
}

test('calls that only read are at work at the same time, their results in order, what is masked one after the other', async () => {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const began: number[] = []
  const masked: number[] = []
  const made = callAll(
    calling(async (_args, _signal, { index, turn, after }) => {
      began.push(index)
      // The first one ends last: it waits until the second one is at work.
      await (index === 1 ? second.promise : first.promise)
      await after
      masked.push(index)
      return { text: `t${turn}c${index}` }
    }),
    [call('read', 1), call('read', 2)],
    1,
  )
  await Promise.resolve()
  assert.deepEqual(began, [1, 2])
  first.resolve()
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual(masked, [], 'the second one waits with what it masks')
  second.resolve()
  assert.deepEqual(
    (await made).map((one) => (one.status === 'fulfilled' ? one.value.text : one.status)),
    ['t3c1', 't3c2'],
  )
  assert.deepEqual(masked, [1, 2])
})

test('a refusal becomes words with its code; what ends an attempt, and what is ours, is thrown when all are done', async () => {
  const errors = [new VpError('policy.denied', 'not in the lane', { rule: 'r' }), new VpError('cancelled', 'stop'), new VpError('store.full', 'no room')]
  const made = await callAll(
    calling(async (_args, _signal, { index }) => {
      throw errors[index - 1] as VpError
    }),
    [call('read', 1), call('read', 2), call('read', 3), call('nothing', 4)],
    1,
  )
  assert.deepEqual(
    made.map((one) => (one.status === 'fulfilled' ? `${one.value.code}: ${one.value.text.split('\n')[0]}` : `thrown ${(one.reason as VpError).code}`)),
    ['policy.denied: policy.denied: not in the lane', 'thrown cancelled', 'thrown store.full', 'usage.params: There is no tool "nothing". Tools: read.'],
  )
})
