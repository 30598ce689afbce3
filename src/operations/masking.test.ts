import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMasking, maskedAnswer } from './masking.ts'

const KEY = `ghp_${'aB3dE5gH7jK9mN1pQ3sT5vX7zB9dF2hJ4kL6'}`

test('an answer keeps no secret but what it writes into a file, and masked once more it is the same', () => {
  const masking = createMasking({ known: [], numbered: true })
  const calls = [
    { id: '1', name: 'search', arguments: { query: KEY } },
    { id: '2', name: 'submit', arguments: { title: 'fix: x', summary: `with ${KEY} and password=hunter2hunter2` } },
    { id: '3', name: 'run', arguments: { argv: ['curl', KEY] } },
    { id: '4', name: 'nonsense', arguments: { deep: [{ of: KEY }] } },
    { id: '5', name: 'write', arguments: { path: 'a', content: KEY } },
  ]
  const kept = maskedAnswer(masking, { text: `it is ${KEY}`, calls } as never)
  const { calls: keptCalls, ...rest } = kept
  assert.doesNotMatch(JSON.stringify([rest, keptCalls.slice(0, 4)]), /ghp_|hunter2/)
  assert.deepEqual(keptCalls[4], calls[4])
  assert.deepEqual(maskedAnswer(masking, kept), kept)
})
