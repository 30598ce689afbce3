/** What the search finds, over servers that cut, refuse, count wrongly or give less than they were asked for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VpError } from '../../core/errors.ts'
import type { ModelAnswer, ModelRequest } from '../contract.ts'
import { MARKERS, measureWindow, type AskedWindow } from './window.ts'

interface Box {
  /** Tokens it really has room for, by what was asked. */
  readonly holds: (asked: AskedWindow) => number
  readonly cut?: 'front' | 'half' | 'refuse' | 'uncounted' | 'middle'
  /** How many of its markers the model repeats, each time other ones. */
  readonly forgets?: number
}

const marker = (n: number) => `mark-${n * 7919}`
const tokens = (text: string) => text.match(/\w{1,4}| ?[^\w\s]|\s/g) ?? []

function box({ holds, cut = 'front', forgets = 0 }: Box): (request: ModelRequest, window: AskedWindow) => Promise<ModelAnswer> {
  return async (request, asked) => {
    const all = tokens(request.messages.map((one) => one.text).join('\n'))
    const room = holds(asked)
    let seen: readonly string[] = all
    if (all.length > room) {
      if (cut === 'refuse') throw new VpError('model.too_large', 'the input length exceeds the context length')
      const left = cut === 'half' ? room >> 1 : room
      seen = cut === 'middle' ? [...all.slice(0, left / 2), ...all.slice(all.length - left / 2)] : all.slice(all.length - left)
    }
    const words = seen.join('')
    const found = Array.from({ length: MARKERS }, (_, index) => index + 1).filter(
      (n) => words.includes(`${marker(n)}\n`) && (forgets === 0 || n % forgets !== 0),
    )
    return {
      text: found.map(marker).join('\n'),
      calls: [],
      finish: 'stop',
      usage: {
        tokens_in: cut === 'uncounted' || cut === 'middle' ? all.length : seen.length,
        tokens_out: 50,
        tokens_think: 0,
        tokens_cached: 0,
        tokens_tool_use: 0,
      },
      usage_source: 'provider',
    }
  }
}

const asIs = (most: number) => (asked: AskedWindow) => Math.min(asked === 'stock' ? 4096 : asked, most)
const cases: [title: string, server: Box, canSet: boolean, stock: number | null, least: number, most: number][] = [
  ['an Ollama with a stock window of 4,096 that gives what it is asked for', { holds: asIs(Infinity) }, true, 4096, 16_384, 16_384],
  ['one that gives 8,192 at most, and cuts', { holds: asIs(8192) }, true, 4096, 8192, 8192],
  ['one that keeps half of 8,192', { holds: asIs(8192), cut: 'half' }, true, 2048, 8192, 8192],
  ['one that refuses beyond 8,192', { holds: asIs(8192), cut: 'refuse' }, true, null, 7700, 8192],
  ['a server whose window cannot be set', { holds: () => 6000 }, false, null, 5800, 6200],
  ['one that counts what it then shifts out', { holds: () => 6000, cut: 'uncounted' }, false, null, 4200, 8000],
  ['one that cuts the middle and counts all', { holds: () => 8000, cut: 'middle' }, false, null, 5500, 11_000],
  ['a model that repeats every second marker only', { holds: asIs(Infinity), forgets: 2 }, true, 4096, 16_384, 16_384],
  ['a model that repeats none', { holds: asIs(Infinity), forgets: 1 }, true, 4096, 16_384, 16_384],
]
for (const [title, server, canSet, stock, least, most] of cases)
  test(`a window: ${title}`, async () => {
    const measured = await measureWindow({ ask: box(server), marker }, { wantedTokens: 16_384, canSet })
    const { effectiveTokens, whole, looks } = measured
    assert.ok(effectiveTokens >= least && effectiveTokens <= most, `${effectiveTokens}: ${JSON.stringify(looks)}`)
    assert.equal(measured.stock?.tokens ?? null, stock)
    assert.ok(whole.isWhole && whole.sent <= effectiveTokens + 64, JSON.stringify(whole))
    assert.ok(looks.length <= 11)
  })

test('both numbers stand in what a cut prompt gave', async () => {
  const { stock } = await measureWindow({ ask: box({ holds: asIs(Infinity) }), marker }, { wantedTokens: 16_384, canSet: true })
  assert.equal(stock?.look.seen, 4096)
  assert.ok(stock.look.sent > 15_700 && stock.look.sent < 16_000, String(stock.look.sent))
  assert.ok(!stock.look.back.includes(1) && stock.look.back.includes(MARKERS), 'the last markers came back')
})

test('a server whose count stands still says nothing', async () => {
  const ask = async (): Promise<ModelAnswer> =>
    await box({ holds: () => 30 })({ messages: [{ role: 'user', text: 'x'.repeat(400) }], tools: [], max_tokens: 1, temperature: 0 }, 'stock')
  await assert.rejects(measureWindow({ ask, marker }, { wantedTokens: 16_384, canSet: true }), { code: 'model.protocol', message: /its count says nothing/ })
})
