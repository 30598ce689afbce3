/** What is tried again, how often, and how long it waits: the server's hint before the backoff. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VpError, type ErrorCode } from '../core/errors.ts'
import { withRetry } from './retry.ts'

const cases: [title: string, code: ErrorCode, hintMs: number | null, slept: number[]][] = [
  ['without a hint the wait doubles', 'model.server', null, [2000, 4000]],
  ['a hint counts instead', 'model.rate_limited', 7000, [7700, 7700]],
  ['a hint of nothing too', 'model.rate_limited', 0, [0, 0]],
  ['a hint is waited for in full, for up to a minute', 'model.rate_limited', 59_000, [60_000, 60_000]],
  ['a hint over a minute is neither waited for nor asked before', 'model.rate_limited', 3_600_000, []],
  ['nobody there is tried once more', 'model.unreachable', null, [2000]],
  ['a wrong key is not tried again', 'model.auth', 7000, []],
]
for (const [title, code, hintMs, slept] of cases)
  test(`retry: ${title}`, async () => {
    const waits: number[] = []
    const told: (number | null)[] = []
    const ports = {
      sleep: async (ms: number) => void waits.push(ms),
      chance: () => 0.5,
      onFailure: async (_error: VpError, _attempt: number, delayMs: number | null) => void told.push(delayMs),
    }
    const failing = withRetry(ports, new AbortController().signal, () => Promise.reject(new VpError(code, 'x', { data: { retry_after_ms: hintMs } })))
    await assert.rejects(failing, (error: VpError) => error.code === code && (hintMs !== 3_600_000 || error.message === 'x, next try in 60 min'))
    assert.deepEqual(waits, slept)
    assert.deepEqual(told, [...slept, null], 'every failed try is told')
  })

test('retry: a server that says not to is believed', async () => {
  const ports = { sleep: () => assert.fail('slept'), chance: () => 0.5, onFailure: async () => {} }
  await assert.rejects(
    withRetry(ports, new AbortController().signal, () => Promise.reject(new VpError('model.server', 'x', { data: { retry: false } }))),
    (error: VpError) => error.code === 'model.server',
  )
})

test('retry: nobody comes back before the hint, nor all at once', async () => {
  const waits = await Promise.all(
    [0, 0.3, 1].map(async (chance) => {
      const slept: number[] = []
      const ports = { sleep: async (ms: number) => void slept.push(ms), chance: () => chance, onFailure: async () => {} }
      await withRetry(ports, new AbortController().signal, () =>
        Promise.reject(new VpError('model.rate_limited', 'x', { data: { retry_after_ms: 1000 } })),
      ).catch(() => {})
      return slept[0]
    }),
  )
  assert.deepEqual(waits, [1000, 1060, 1200])
})
