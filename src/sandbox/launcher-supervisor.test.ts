/** The end of a supervised run, with and without signals that are scoped: all below is gone, nothing beside is touched. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

/** Leaves sessions, orphans and one that is stopped below it, then ends them; says whether that worked, and what it still has. */
const SUPERVISOR = `
import { spawn } from 'node:child_process'
import { readFileSync, writeSync } from 'node:fs'
import { loadLibc } from '${join(import.meta.dirname, 'launcher-libc.ts')}'
import { endDescendants } from '${join(import.meta.dirname, 'launcher-supervisor.ts')}'
const libc = loadLibc()
libc.becomeSubreaper()
libc.noNewPrivileges()
const isScoped = process.argv[1] === 'scoped' && libc.scopeSignals()
const below = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'latin1').split(' ').filter(Boolean).length
const script = 'for i in 1 2 3 4 5; do env -i setsid -f sleep 60; (sleep 60 & sleep 60 &); done; kill -STOP $$'
spawn('/bin/sh', ['-c', script], { stdio: 'ignore', detached: true })
while (below() < 16) libc.awaitReadable([], 5)
writeSync(1, JSON.stringify([isScoped, endDescendants(libc, isScoped), below()]))
libc.exitNow(0)
`

for (const manner of ['scoped', 'one by one'])
  test(`the end of a supervised run: ${manner}`, async (t) => {
    const beside = spawn('sleep', ['60'], { stdio: 'ignore' })
    try {
      const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', SUPERVISOR, manner]
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 })
      const [isScoped, isQuiet, left] = JSON.parse(stdout) as [boolean, boolean, number]
      if (manner === 'scoped' && !isScoped) return t.skip('Landlock of this kernel scopes no signals')
      assert.deepEqual([isQuiet, left], [true, 0])
      assert.deepEqual([beside.exitCode, beside.signalCode], [null, null])
    } finally {
      beside.kill('SIGKILL')
    }
  })
