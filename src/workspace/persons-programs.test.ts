/** Programs of the person are bounded in time: whatever they started ends with them, and no pipe is waited for. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { startForPerson } from './persons-programs.ts'

const call = (change: object = {}) => ({ env: process.env, input: null, waitMs: 30_000, detached: true, signal: new AbortController().signal, ...change })

test('over its time it ends with what it started, and is said to be late', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vp-persons-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const mark = join(directory, 'grandchild-went-on')
  const began = performance.now()
  const ended = await startForPerson('/bin/sh', ['-c', `(sleep 1; touch ${mark}; sleep 60) & wait`], call({ waitMs: 300 }))
  assert.ok(performance.now() - began < 5000, 'the pipe that the grandchild holds is not waited for')
  assert.deepEqual([ended.code, ended.isLate], [null, true])
  await sleep(1500)
  assert.equal(existsSync(mark), false)
})

test('cancelled, at once', async () => {
  const stop = new AbortController()
  const began = performance.now()
  setTimeout(() => stop.abort(), 200)
  await assert.rejects(startForPerson('/bin/sh', ['-c', 'sleep 60'], call({ signal: stop.signal })), { code: 'cancelled' })
  assert.ok(performance.now() - began < 5000)
})

test('one that ends by itself keeps its words and its exit', async () => {
  const ended = await startForPerson('/bin/sh', ['-c', 'cat; echo words; echo more >&2; exit 3'], call({ input: Buffer.from('in ') }))
  assert.deepEqual(ended, { code: 3, stdout: 'in words\n', stderr: 'more\n', isLate: false })
})
