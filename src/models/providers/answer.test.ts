/** When a silence ends a call, and what it ends with. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { ModelRequest } from '../contract.ts'
import { answerOf, type Listen } from './answer.ts'

const REQUEST: ModelRequest = { messages: [{ role: 'user', text: 'x' }], tools: [], max_tokens: 10, temperature: 0 }

const answer = (listen: Listen) =>
  answerOf(
    listen,
    { endpoint: { host: 'h', loopback: true }, stallMs: 60 },
    REQUEST,
    { task: 'T1', attempt: 1, turn: 1 },
    { signal: new AbortController().signal },
  )

test('events with nothing in them are a silence', { timeout: 20_000 }, async () => {
  const dripping = answer(async (_all, signal, heard) => {
    for (;;) {
      heard(0)
      await delay(10, null, { signal })
    }
  })
  await assert.rejects(dripping, { code: 'model.stalled' })
})

test('words keep a call open', async () => {
  const { text } = await answer(async (all, _signal, heard) => {
    for (let n = 0; n < 10; n++) {
      heard(1)
      all.text += 'x'
      await delay(20)
    }
    all.finish = 'stop'
  })
  assert.equal(text, 'xxxxxxxxxx')
})

test('an answer that said why it ended is one, also where the server leaves the connection open', async () => {
  const { text, finish } = await answer(async (all, signal, heard) => {
    heard(4)
    all.text = 'done'
    all.finish = 'stop'
    await delay(60_000, null, { signal })
  })
  assert.deepEqual([text, finish], ['done', 'stop'])
})
