/** Measured once, whoever asks; a failure is nobody's but the gate's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Evidence } from '../../pas/embedded/kpi/judge.ts'
import { openAhead } from './ahead.ts'

const EVIDENCE: Evidence = { tests: null, lint: null }

test('what is measured ahead is measured once, and whoever comes meanwhile waits for it', async () => {
  const ahead = openAhead()
  const { promise, resolve } = Promise.withResolvers<Evidence>()
  let times = 0
  const measure = () => {
    times++
    return promise
  }
  ahead.begin('a', measure)
  ahead.begin('a', measure)
  const [first, second] = [ahead.taken('a'), ahead.taken('a')]
  assert.equal(await ahead.taken('b'), null)
  resolve(EVIDENCE)
  assert.deepEqual([await first, await second, times], [EVIDENCE, EVIDENCE, 1])
  await ahead.over()
  assert.equal(await ahead.taken('a'), null, 'from then on the store has it')
})

test('a measurement that failed is none, and is not thrown where nobody waits', async () => {
  const ahead = openAhead()
  ahead.begin('a', async () => {
    throw new Error('no sandbox')
  })
  assert.equal(await ahead.taken('a'), null)
  ahead.begin('a', async () => EVIDENCE)
  assert.deepEqual(await ahead.taken('a'), EVIDENCE)
  await ahead.over()
})
