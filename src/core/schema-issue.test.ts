import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod/mini'
import { wordsOfIssue } from './schema-issue.ts'

const schema = z.strictObject({
  name: z.string().check(z.minLength(2), z.regex(/^[a-z]+$/)),
  network: z.enum(['none', 'outbound']),
  letter: z.string().check(z.minLength(1), z.maxLength(1)),
  tags: z.array(z.string()).check(z.maxLength(2)),
  cost: z.number().check(z.nonnegative(), z.lte(9)),
  models: z.array(z.strictObject({ window: z.int() })).check(z.minLength(1)),
})
const WELL = { name: 'abc', letter: 'a', tags: [], network: 'none', cost: 1, models: [{ window: 1 }] }

const CASES: readonly [unknown, string][] = [
  [[], 'must be an object'],
  [{ ...WELL, name: undefined }, 'name: is missing, must be a string'],
  [{ ...WELL, name: 4 }, 'name: must be a string'],
  [{ ...WELL, name: 'a' }, 'name: must be at least 2 letters long'],
  [{ ...WELL, letter: '' }, 'letter: must be at least 1 letter long'],
  [{ ...WELL, letter: 'ab' }, 'letter: must be at most 1 letter long'],
  [{ ...WELL, tags: ['a', 'b', 'c'] }, 'tags: must be at most 2 entries long'],
  [{ ...WELL, name: 'ABC' }, 'name: must look like /^[a-z]+$/'],
  [{ ...WELL, network: 'maybe' }, 'network: must be one of "none", "outbound"'],
  [{ ...WELL, cost: -1 }, 'cost: must be at least 0'],
  [{ ...WELL, cost: 10 }, 'cost: must be at most 9'],
  [{ ...WELL, models: [] }, 'models: must be at least 1 entry long'],
  [{ ...WELL, models: [{ window: 0.5 }] }, 'models.0.window: must be a whole number'],
  [{ ...WELL, models: [{ window: 1, bogus: 's3cret' }] }, 'models.0.bogus: no such field'],
]

for (const [value, words] of CASES)
  test(`what a schema refused: ${words}`, () => {
    const parsed = schema.safeParse(value)
    assert.equal(wordsOfIssue(parsed.error?.issues[0], value), words)
  })
