/** The rolling limits and the breaker as properties: over seeded sequences of calls, whatever their order and outcome. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { breaker, health, latency, ROLLING_MS, rollingUse, UNHEALTHY_MS, waitFor, type CallSeen } from './windows.ts'

function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * below)
  }
}

const LIMITS = { max_tokens_per_min: 1000, max_micro_usd_per_min: 500 }
const call = (ts: number, change: Partial<CallSeen> = {}): CallSeen => ({
  tier: 'T',
  model: 'm',
  ts,
  tokens: 10,
  micro_usd: 1,
  ms: 100,
  outcome: 'ok',
  ...change,
})

test('who waits as long as is said never uses more than the limit in any 60 s, and not waiting that long would have', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = seeded(seed)
    const calls: CallSeen[] = []
    let now = 1_000_000
    for (let n = 0; n < 40; n++) {
      now += next(8000)
      const use = { tokens: next(1200), micro_usd: next(600) }
      const wait = waitFor(calls, 'T', LIMITS, use, now)
      if (wait === null) {
        assert.ok(use.tokens > 1000 || use.micro_usd > 500)
        continue
      }
      assert.ok(wait >= 0 && wait <= ROLLING_MS)
      if (wait > 0) assert.notEqual(waitFor(calls, 'T', LIMITS, use, now + wait - 1), 0, 'not a moment longer than needed')
      now += wait
      calls.push(call(now, { ...use, outcome: next(2) ? 'ok' : 'open', ms: null }))
      const used = rollingUse(calls, 'T', now)
      assert.ok(used.tokens <= 1000 && used.micro_usd <= 500, `seed ${seed}`)
    }
    // Any window, not only those that end with a call.
    for (const { ts } of calls)
      for (const at of [ts, ts + 1, ts + ROLLING_MS - 1])
        assert.ok(
          rollingUse(
            calls.filter((one) => one.ts <= at),
            'T',
            at,
          ).tokens <= 1000,
        )
  }
})

test('another tier has a window of its own, and calls leave it after exactly 60 s', () => {
  const calls = [call(0, { tokens: 1000 })]
  assert.equal(waitFor(calls, 'U', LIMITS, { tokens: 1000, micro_usd: 0 }, 1), 0)
  assert.equal(waitFor(calls, 'T', LIMITS, { tokens: 1, micro_usd: 0 }, 1), ROLLING_MS - 1)
  assert.equal(waitFor(calls, 'T', LIMITS, { tokens: 1, micro_usd: 0 }, ROLLING_MS), 0)
  assert.equal(waitFor([], 'T', { ...LIMITS, max_micro_usd_per_min: 0 }, { tokens: 1, micro_usd: 0 }, 1), 0, 'a tier of 0 USD takes what is free')
})

test('health: a failure counts for 30 s from its end, a success clears it', () => {
  const failed = call(0, { outcome: 'failed', ms: 1000 })
  assert.equal(health([failed], 'm', 1000 + UNHEALTHY_MS - 1), 'failed')
  assert.equal(health([failed], 'm', 1000 + UNHEALTHY_MS), 'ok')
  assert.equal(health([failed, call(2000)], 'm', 3000), 'ok')
  assert.equal(health([failed, call(2000, { outcome: 'open', ms: null })], 'm', 3000), 'failed', 'what goes on has proved nothing')
  assert.equal(health([failed], 'other', 1500), 'ok')
})

test('breaker: as properties', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = seeded(seed)
    const calls: CallSeen[] = []
    let now = 0
    for (let n = 0; n < 30; n++) {
      now += next(60_000)
      const { state, until } = breaker(calls, 'm', now)
      let failures = 0
      for (const one of calls.toReversed())
        if (one.outcome === 'failed') failures++
        else break
      if (failures < 3) assert.equal(state, 'closed', `seed ${seed}`)
      else if (state === 'open') {
        assert.ok(until > now && until - now <= 300_000)
        assert.equal(breaker(calls, 'm', until).state, 'half_open', 'it tries again by itself')
        continue
      } else assert.equal(state, 'half_open')
      if (state === 'half_open')
        assert.equal(breaker([...calls, call(now, { outcome: 'open', ms: null })], 'm', now + 1).state, 'open', 'one tries, the others wait')
      calls.push(call(now, { outcome: next(3) ? 'failed' : 'ok', ms: 0 }))
      if (calls.at(-1)?.outcome === 'ok') assert.equal(breaker(calls, 'm', now).state, 'closed', 'one success closes it')
    }
  }
})

test('breaker: who died while it tried does not keep it shut for ever', () => {
  const failures = [0, 1, 2].map((ts) => call(ts, { outcome: 'failed', ms: 0 }))
  const dead = call(40_000, { outcome: 'open', ms: null })
  assert.equal(breaker([...failures, dead], 'm', 50_000).state, 'open')
  assert.equal(breaker([...failures, dead], 'm', 40_000 + 300_000).state, 'half_open')
})

test('latency is that of answers alone', () => {
  const calls = [...Array.from({ length: 20 }, (_, n) => call(n, { ms: (n + 1) * 10 })), call(99, { outcome: 'failed', ms: 90_000 })]
  assert.deepEqual(latency(calls, 'm'), { p50: 100, p95: 190, n: 20 })
  assert.equal(latency(calls, 'other'), null)
})
