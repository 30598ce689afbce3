/** What is held before a call, what leaves, what is settled after it, and what is not asked at all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VpError } from '../core/errors.ts'
import type { ModelAnswer, ModelRequest, Provider } from './contract.ts'
import { bodyKeeper } from './kept-body.ts'
import { meteredProvider, type FailedTry, type MeterOptions, type MeterPorts, type Settlement } from './meter.ts'

const REQUEST: ModelRequest = { messages: [{ role: 'user', text: 'the key is hunter22' }], tools: [], max_tokens: 1000, temperature: 0 }
const ANSWER: ModelAnswer = {
  text: 'x',
  calls: [],
  finish: 'stop',
  usage: { tokens_in: 100, tokens_out: 10, tokens_think: 5, tokens_cached: 0, tokens_tool_use: 0 },
  usage_source: 'provider',
}
const PRICED: MeterOptions = { price: { in_per_million_usd: 2, out_per_million_usd: 10 }, tier: 'API-Premium', allowUnknownPrice: false, retryBaseMs: 1 }

const hide = (text: string) => text.replaceAll('hunter22', '[REDACTED]')

function metered(options: MeterOptions, change: Partial<MeterPorts> = {}, answer: Provider['answer'] = async () => ANSWER, also: Partial<Provider> = {}) {
  const held: { tokens: number; micro_usd: number }[] = []
  const settled: Settlement[] = []
  const asked: ModelRequest[] = []
  const ports: MeterPorts = {
    monotonic: () => 0,
    chance: () => 0.5,
    sleep: async () => {},
    mask: { text: hide, json: (value) => value },
    keep: async (body) => bodyKeeper().keep(body),
    maskAnswer: (answer) => ({ ...answer, text: hide(answer.text) }),
    recall: async () => null,
    hold: async (worst) => (held.push(worst), 'h'),
    settle: async (_hold, settlement) => void settled.push(settlement),
    failedTry: async () => {},
    ...change,
  }
  const provider: Provider = {
    name: 'p',
    model: 'm',
    endpoint: { host: 'h', loopback: false },
    ...also,
    answer: (request, ...rest) => (asked.push(request), answer(request, ...rest)),
  }
  const ask = () => meteredProvider(ports, provider, options).answer(REQUEST, { task: 'T1', attempt: 1, turn: 1 }, new AbortController().signal)
  return { ask, held, settled, asked }
}

test('the worst case is held: the whole answer that may come, at its price', async () => {
  const { ask, held, settled } = metered(PRICED)
  await ask()
  const [worst] = held
  assert.ok(worst && worst.tokens > REQUEST.max_tokens && worst.tokens < REQUEST.max_tokens + 100, JSON.stringify(worst))
  assert.ok(worst.micro_usd > 10 * REQUEST.max_tokens, JSON.stringify(worst))
  assert.equal(settled[0]?.usage.cost_micro_usd, 100 * 2 + 15 * 10)
})

test('where thinking costs more than the answer, all of the answer may be thinking', async () => {
  const { ask, held } = metered({ ...PRICED, price: { in_per_million_usd: 2, out_per_million_usd: 10, think_per_million_usd: 60 } })
  await ask()
  assert.ok((held[0]?.micro_usd ?? 0) > 60 * REQUEST.max_tokens, JSON.stringify(held))
})

test('a fault of vp’s own with the answer in its hands counts with its worst case', async () => {
  const fails = () => {
    throw new TypeError('a number outside JSON')
  }
  const { ask, held, settled } = metered(PRICED, { maskAnswer: fails })
  await assert.rejects(ask(), { code: 'internal' })
  assert.deepEqual([settled[0]?.usage.cost_micro_usd, settled[0]?.usage_source], [held[0]?.micro_usd, 'worst_case'])
})

test('where prompts are marked for a cache, the worst case is that all of it is written there', async () => {
  const plain = metered(PRICED)
  const marking = metered(PRICED, {}, undefined, { marksCache: true })
  await plain.ask()
  await marking.ask()
  const output = 10 * REQUEST.max_tokens
  const [before, now] = [plain.held[0]?.micro_usd ?? 0, marking.held[0]?.micro_usd ?? 0]
  assert.equal(now - output, Math.ceil((before - output) * 1.25))
})

test('a secret is masked before the request is sent, and before it is kept', async () => {
  const { ask, settled, asked } = metered(PRICED)
  await ask()
  for (const request of [asked[0], settled[0]?.request]) assert.equal(request?.messages[0]?.text, 'the key is [REDACTED]')
})

test('what was answered before is neither held nor asked again', async () => {
  const { ask, held, asked } = metered(PRICED, { recall: async () => ANSWER })
  assert.deepEqual([await ask(), held, asked], [ANSWER, [], []])
})

test('a hold that does not fit ends the call before anything leaves', async () => {
  const { ask, asked, settled } = metered(PRICED, { hold: () => Promise.reject(new VpError('budget.cap', 'x')) })
  await assert.rejects(ask(), (error: VpError) => error.code === 'budget.cap')
  assert.deepEqual([asked, settled], [[], []])
})

test('a call that fails gives its hold back and costs nothing', async () => {
  const { ask, held, settled } = metered(PRICED, {}, () => Promise.reject(new VpError('model.auth', 'x')))
  await assert.rejects(ask())
  assert.deepEqual([held.length, settled.length, settled[0]?.error?.code, settled[0]?.usage.cost_micro_usd], [1, 1, 'model.auth', 0])
})

test('a model without a known price is not asked, unless it may be', async () => {
  const strict = metered({ ...PRICED, price: null })
  await assert.rejects(strict.ask(), (error: VpError) => error.code === 'budget.price_unknown')
  assert.equal(strict.asked.length, 0)
  const free = metered({ ...PRICED, price: null, allowUnknownPrice: true })
  await free.ask()
  assert.equal(free.settled[0]?.usage.cost_micro_usd, null, 'unknown is not zero')
})

test('a call that broke off costs what the server said of it, else the worst case', async () => {
  for (const [spent, cost, source] of [
    [ANSWER.usage, 100 * 2 + 15 * 10, 'provider'],
    ['unknown', null, 'worst_case'],
    ['nothing', 0, null],
  ] as const) {
    const { ask, held, settled } = metered(PRICED, {}, () => Promise.reject(new VpError('model.refused', 'x', { data: { spent } })))
    await assert.rejects(ask(), { code: 'model.refused' })
    assert.deepEqual([settled[0]?.usage.cost_micro_usd, settled[0]?.usage_source], [cost ?? held[0]?.micro_usd, source])
  }
})

test('a try that cost something gives its hold back, and the next one has to fit again', async () => {
  const cut = () => Promise.reject(new VpError('model.cut', 'x', { data: { spent: 'unknown' } }))
  const failed: FailedTry[] = []
  let held = 0
  const hold = async () => (++held > 1 ? Promise.reject(new VpError('budget.cap', 'x')) : 'h')
  const { ask, asked, settled } = metered(PRICED, { hold, failedTry: async (_hold, one) => void failed.push(one) }, cut)
  await assert.rejects(ask(), { code: 'budget.cap' })
  assert.equal(asked.length, 1)
  assert.equal(failed[0]?.spent?.usage_source, 'worst_case')
  assert.deepEqual([settled.length, settled[0]?.error?.code, settled[0]?.usage.cost_micro_usd], [1, 'budget.cap', 0], 'what left is kept, and paid once')
})

test('a try that cost nothing keeps its hold', async () => {
  let n = 0
  const { ask, held, asked } = metered(PRICED, {}, () => (++n < 3 ? Promise.reject(new VpError('model.rate_limited', 'x')) : Promise.resolve(ANSWER)))
  await ask()
  assert.deepEqual([held.length, asked.length], [1, 3])
})

test('an answer is masked before it is recorded, and what is recorded is what is answered', async () => {
  const said = { ...ANSWER, text: 'the key is hunter22' }
  const { ask, settled } = metered(PRICED, {}, async () => said)
  const answer = await ask()
  assert.equal(answer.text, 'the key is [REDACTED]')
  assert.deepEqual(settled[0]?.answer, answer)
})

test('what each try sent is told with it, and nothing where nothing left', async () => {
  const failed: FailedTry[] = []
  let tries = 0
  const { ask, settled } = metered(PRICED, { failedTry: async (_hold, one) => void failed.push(one) }, async (_request, _place, _signal, _progress, onSent) => {
    tries++
    if (tries === 2) throw new VpError('model.unreachable', 'x')
    onSent?.({ host: 'h', path: '/p', body: Buffer.from(`try ${tries}`) })
    if (tries === 1) throw new VpError('model.rate_limited', 'x')
    onSent?.({ host: 'h', path: '/p', body: Buffer.from('once more') })
    return ANSWER
  })
  await assert.rejects(ask(), { code: 'model.unreachable' })
  assert.deepEqual(
    failed.map(({ sent }) => sent.map(({ body }) => body.toString())),
    [['try 1']],
  )
  assert.deepEqual(settled[0]?.sent, [])
  await ask()
  assert.deepEqual(
    settled[1]?.sent.map(({ body, sha }) => [body.toString(), sha.length]),
    [
      ['try 3', 64],
      ['once more', 64],
    ],
  )
})

test('a cancel between two tries has sent nothing itself', async () => {
  const failed: FailedTry[] = []
  const { ask, settled } = metered(
    PRICED,
    { failedTry: async (_hold, one) => void failed.push(one), sleep: () => Promise.reject(new VpError('cancelled', 'x')) },
    async (_request, _place, _signal, _progress, onSent) => {
      onSent?.({ host: 'h', path: '/p', body: Buffer.from('once') })
      throw new VpError('model.server', 'x')
    },
  )
  await assert.rejects(ask(), { code: 'cancelled' })
  assert.deepEqual([failed[0]?.sent.length, settled[0]?.sent.length], [1, 0])
})
