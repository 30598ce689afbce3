/** Prices: the date of the table is the package's, what nobody knows is unknown, and thinking has its own price where a policy says so. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { costMicroUsd, estimateTokens, mostTokens, PRICES_OF, tablePrice } from './prices.ts'

test('a newer table has a newer date', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../node_modules/@pydantic/genai-prices/package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  assert.deepEqual([version, PRICES_OF], ['0.1.8', '2026-09-23'], 'when the package is raised: its day of publication (npm view @pydantic/genai-prices time)')
})

test('the table knows the models of the default policy, and no others', async () => {
  const usd = async (provider: string, model: string) => {
    const { long: _, ...ordinary } = (await tablePrice(provider, model)) ?? { in_per_million_usd: 0, out_per_million_usd: 0 }
    return Object.values(ordinary)
  }
  // In, out, from a cache, into a cache that bills for it.
  assert.deepEqual(await usd('anthropic', 'claude-sonnet-4-5'), [3, 15, 0.3, 3.75])
  assert.deepEqual(await usd('openai', 'gpt-5.1'), [1.25, 10, 0.125])
  assert.deepEqual(await usd('google', 'gemini-2.5-pro'), [1.25, 10, 0.125])
  assert.equal(await tablePrice('openai', 'a-model-nobody-made'), null)
})

test('a price that rises with the length of the input holds for all of a longer one', async () => {
  const price = await tablePrice('google', 'gemini-2.5-pro')
  const cost = (tokens_in: number) => costMicroUsd(price, { tokens_in, tokens_out: 1000, tokens_think: 0, tokens_cached: 0 })
  assert.deepEqual([price?.long?.above, cost(200_000), cost(200_001), cost(400_000)], [200_000, 260_000, 515_003, 1_015_000])
})

test('beyond ASCII a text takes more tokens, and no more are held for code than a little', () => {
  assert.deepEqual([estimateTokens('x'.repeat(360)), estimateTokens('中'.repeat(100))], [100, 100])
  assert.ok(mostTokens('中'.repeat(100)) >= 250 && mostTokens('1'.repeat(100)) >= 100 && mostTokens('const total = sum(items)\n'.repeat(9)) < 90)
})

test('cost: unknown is null, thinking counts as output unless it has a price', () => {
  const usage = { tokens_in: 10, tokens_out: 100, tokens_think: 1000, tokens_cached: 0 }
  assert.equal(costMicroUsd(null, usage), null)
  assert.equal(costMicroUsd({ in_per_million_usd: 1, out_per_million_usd: 2 }, usage), 10 + 2200)
  assert.equal(costMicroUsd({ in_per_million_usd: 1, out_per_million_usd: 2, think_per_million_usd: 0.5 }, usage), 10 + 200 + 500)
})

const price = { in_per_million_usd: 3, out_per_million_usd: 15, cached_per_million_usd: 0.3, cache_write_per_million_usd: 3.75 }
const cached: [title: string, change: object, usage: object, want: number][] = [
  ['what came from the cache, what went into it, and the rest', {}, { tokens_cached: 100, tokens_cache_write: 200 }, 700 * 3 + 30 + 750],
  [
    'without prices of its own: read as input, written at 1.25 of it',
    { cached_per_million_usd: undefined, cache_write_per_million_usd: undefined },
    { tokens_cached: 100, tokens_cache_write: 200 },
    800 * 3 + 750,
  ],
  ['a server that says more than there was', {}, { tokens_cached: 5000, tokens_cache_write: 5000 }, 300],
]
for (const [title, change, usage, want] of cached)
  test(`cost of a cache: ${title}`, () => {
    const given = Object.fromEntries(Object.entries({ ...price, ...change }).filter(([, value]) => value !== undefined)) as unknown as typeof price
    assert.equal(costMicroUsd(given, { tokens_in: 1000, tokens_out: 0, tokens_think: 0, tokens_cached: 0, ...usage }), want)
  })
