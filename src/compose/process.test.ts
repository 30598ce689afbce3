import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { isWorkerAlive, workerName } from './process.ts'

const gone = spawnSync('true').pid

for (const [title, proc] of [
  ['by its start', '/proc'],
  ['without /proc, as on macOS', '/nowhere'],
] as const)
  test(`a process that is there is alive, one that has ended is not: ${title}`, () => {
    assert.equal(isWorkerAlive(workerName(process.pid, proc), proc), true)
    assert.equal(isWorkerAlive(workerName(gone, proc), proc), false)
  })

test('a pid that was given anew is another process', () => {
  assert.equal(isWorkerAlive(workerName(process.pid).replace(/-\d+$/, '-1')), false)
  assert.equal(isWorkerAlive(workerName(process.pid, '/nowhere')), false, 'another boot')
})

test('what is no name of a worker is nobody', () => {
  for (const worker of ['', 'vp', 'vp-00000000--0', 'vp-00000000-1-0-x']) assert.equal(isWorkerAlive(worker, '/nowhere'), false)
})
