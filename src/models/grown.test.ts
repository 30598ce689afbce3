/** What is kept of a recording gives back every request, and is far smaller where a conversation grew. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from './contract.ts'
import { withoutRepeats, withRepeats } from './grown.ts'
import { requestSha, type Exchange } from './recorded.ts'

function exchange(task: string, attempt: number, turn: number, words: readonly string[], max_tokens = 9): Exchange {
  const messages = words.map((text): Message => ({ role: 'user', text }))
  const request = { messages, tools: [], max_tokens, temperature: 0 }
  const usage = { tokens_in: 0, tokens_out: 0, tokens_think: 0, tokens_cached: 0, tokens_tool_use: 0 }
  return {
    task,
    attempt,
    turn,
    request,
    request_sha: requestSha(request),
    answer: { text: `${turn}`, calls: [], finish: 'stop', usage, usage_source: 'provider' },
  }
}
const long = (n: number) => `message ${n} `.repeat(200)
const GROWN = Array.from({ length: 40 }, (_, turn) =>
  exchange(
    'T1',
    1,
    turn + 1,
    Array.from({ length: turn + 1 }, (_unused, n) => long(n)),
  ),
)

const ROWS: [title: string, exchanges: Exchange[], kept: number][] = [
  ['a conversation that grows', GROWN, 39],
  ['one that was built anew in between', [...GROWN.slice(0, 3), exchange('T1', 1, 4, ['other']), exchange('T1', 1, 5, ['other', 'more'])], 3],
  ['another attempt', [exchange('T1', 1, 1, ['a']), exchange('T1', 2, 2, ['a', 'b'])], 0],
  ['a turn that is missing', [exchange('T1', 1, 1, ['a']), exchange('T1', 1, 3, ['a', 'b'])], 0],
  ['other settings', [exchange('T1', 1, 1, ['a']), exchange('T1', 1, 2, ['a', 'b'], 10)], 0],
  ['nothing', [], 0],
]
for (const [title, exchanges, kept] of ROWS)
  test(`recordings without repeats: ${title}`, () => {
    const short = withoutRepeats(exchanges)
    assert.equal(short.filter((one) => 'added' in one).length, kept)
    assert.deepEqual(withRepeats(short), exchanges)
    for (const one of withRepeats(JSON.parse(JSON.stringify(short)))) assert.equal(requestSha(one.request), one.request_sha)
  })

test('recordings without repeats: forty turns take what they say, not its square', () => {
  assert.ok(JSON.stringify(withoutRepeats(GROWN)).length * 15 < JSON.stringify(GROWN).length)
})

test('recordings without repeats: a part without its beginning is none', () => {
  assert.deepEqual(withRepeats(withoutRepeats(GROWN).slice(1)), [])
})
