/** A prompt that is too long, in the words of each server: both numbers are told, and its own words stand behind them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statusFailure } from './failures.ts'

const says: [server: string, message: string, want: string][] = [
  [
    'OpenAI',
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. Please reduce the length of the messages.",
    'the prompt is 9000 tokens, the window of host is 8192',
  ],
  ['Anthropic', 'prompt is too long: 210000 tokens > 200000 maximum', 'the prompt is 210000 tokens, the window of host is 200000'],
  [
    'Gemini',
    'The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).',
    'the prompt is 1200000 tokens, the window of host is 1048575',
  ],
  ['one without numbers', 'the input length exceeds the context length', 'host answered 400: the input length exceeds the context length'],
]
for (const [server, message, want] of says)
  test(`too long, as ${server} says it`, () => {
    const error = statusFailure({ host: 'host', loopback: true }, 400, message, { headers: {} })
    assert.deepEqual([error.code, error.message], ['model.too_large', want])
    if (/\d/.test(message)) assert.match(error.details.why ?? '', /^host answered 400: /)
  })
