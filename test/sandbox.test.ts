import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isVpError } from '../src/core/errors.ts'
import { killLeftovers, killOrphans, markedProcesses } from '../src/sandbox/processes.ts'
import { selectBackend } from '../src/sandbox/select.ts'
import { base, marker, options } from './attacks/sandbox-trials.ts'

test('the answer is cached, and a damaged or foreign cache is not believed', async () => {
  const cacheFile = join(base, 'cached.json')
  const first = await selectBackend({ ...options, pin: 'landlock', cacheFile })
  assert.deepEqual([first.isCached, first.backend.name, first.tried], [false, 'landlock', [{ name: 'landlock', ok: true }]])
  assert.ok(first.weaknesses.length >= 4)
  assert.equal((await selectBackend({ ...options, pin: 'landlock', cacheFile })).isCached, true)
  assert.equal(statSync(cacheFile).mode & 0o777, 0o600)
  writeFileSync(cacheFile, '{"key":')
  assert.equal((await selectBackend({ ...options, pin: 'landlock', cacheFile })).isCached, false)
})

test('none passes: refused, with every reason and what to do', async () => {
  const attempt = selectBackend({
    ...options,
    programDirs: [join(base, 'nowhere')],
    cacheFile: join(base, 'none.json'),
  })
  await assert.rejects(
    attempt,
    (error) =>
      isVpError(error) &&
      error.code === 'sandbox.unavailable' &&
      /bwrap is not installed.*setpriv is not/.test(error.message) &&
      (error.details.next?.length ?? 0) > 0,
  )
  assert.equal(existsSync(join(base, 'none.json')), false)
})

test('a backend that does not hold is not chosen: a bwrap that isolates nothing', async () => {
  const dir = join(base, 'fake')
  mkdirSync(dir)
  writeFileSync(join(dir, 'bwrap'), '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; echo \'{"exit-code":0}\' >&4; cd /; exec "$@"\n', { mode: 0o755 })
  const attempt = selectBackend({
    ...options,
    pin: 'bwrap',
    programDirs: [dir, '/usr/bin'],
    cacheFile: join(base, 'fake.json'),
  })
  await assert.rejects(attempt, (error) => isVpError(error) && error.code === 'sandbox.unavailable')
})

const killings: [title: string, kill: (own: string) => number][] = [
  ['leftovers are found by their marker', killLeftovers],
  ['orphans are found by what their marker says', (own) => killOrphans((found) => found === own)],
]
for (const [title, kill] of killings)
  test(`${title} and killed, others are not`, async () => {
    const own = marker()
    const [mine, other] = [own, marker()].map((value) => spawn('sleep', ['63'], { env: { VP_RUN_MARKER: value }, stdio: 'ignore' }))
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(kill(own), 1)
    await new Promise((resolve) => mine?.once('close', resolve))
    assert.equal(other?.exitCode, null)
    other?.kill('SIGKILL')
  })

test('a box whose parent was killed before it asked to die with it is killed, one with a parent is not', async (t) => {
  const [own, other] = [marker(), marker()]
  const box = (value: string) => {
    // Without --kill-child the namespace outlives unshare, as in the moment between clone and prctl.
    const child = spawn('unshare', ['-rpf', 'sleep', '63'], { env: { PATH: '/usr/bin:/bin', VP_RUN_MARKER: value }, stdio: 'ignore' })
    child.on('error', () => undefined)
    return child
  }
  const [lost, kept] = [box(own), box(other)]
  try {
    for (let waited = 0; waited < 2000 && (markedProcesses(own).length < 2 || markedProcesses(other).length < 2) && lost.exitCode === null; waited += 20)
      await new Promise((resolve) => setTimeout(resolve, 20))
    if (markedProcesses(own).length === 0) return t.skip('no process namespaces for this user')
    const gone = new Promise((resolve) => lost.once('close', resolve))
    lost.kill('SIGKILL')
    await gone
    assert.equal(markedProcesses(own).length, 1)
    killOrphans(() => false)
    for (let waited = 0; waited < 2000 && markedProcesses(own).length > 0; waited += 20) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual([markedProcesses(own).length, markedProcesses(other).length], [0, 2])
  } finally {
    killLeftovers(own)
    killLeftovers(other)
    kept.kill('SIGKILL')
  }
})

test('orphans of another process namespace are not judged', async (t) => {
  const own = marker()
  const inside = spawn('unshare', ['-rpf', '--kill-child', 'sleep', '63'], { env: { PATH: '/usr/bin:/bin', VP_RUN_MARKER: own }, stdio: 'ignore' })
  inside.on('error', () => undefined)
  try {
    for (let waited = 0; waited < 2000 && inside.exitCode === null && markedProcesses(own).length < 2; waited += 20)
      await new Promise((resolve) => setTimeout(resolve, 20))
    if (markedProcesses(own).length === 0) return t.skip('no process namespaces for this user')
    assert.equal(markedProcesses(own).length, 2)
    assert.equal(
      killOrphans((found) => found === own),
      1,
      'the one outside',
    )
  } finally {
    killLeftovers(own)
    inside.kill('SIGKILL')
  }
})
