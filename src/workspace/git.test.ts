/** The operator's own git as a process among others. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gitRunner, gitText, readRef } from './git.ts'
import { moveRef } from './refs.ts'
import { commitTree } from './run-repository.ts'

const clock = { now: () => Date.now(), monotonic: () => 0 }

/** Field 5 of /proc/PID/stat. Source: proc(5). */
const groupOf = (stat: string) => stat.split(' ')[4]

test('what the terminal sends to the process group of vp does not reach git', async () => {
  const stat = await gitText(gitRunner('git'), ['-c', 'alias.own-stat=!cat /proc/self/stat', 'own-stat'])
  assert.match(groupOf(stat) ?? '', /^\d+$/)
  assert.notEqual(groupOf(stat), groupOf(readFileSync('/proc/self/stat', 'utf8')))
})

test('a git that the terminal ended before it was one is asked again, once', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vp-git-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const program = (name: string, times: number) => {
    const file = join(directory, name)
    writeFileSync(file, `#!/bin/sh\necho x >>"$0.times"\n[ "$(wc -l <"$0.times")" -gt ${times} ] || kill -INT $$\necho asked\n`, { mode: 0o755 })
    return gitRunner(file)
  }
  assert.equal(await gitText(program('once', 1), ['status']), 'asked')
  await assert.rejects(program('twice', 2)(['status']), { code: 'workspace.git', message: /ended by SIGINT/ })
})

test('a ref that is there already is moved by all who want it there, and by nobody who wants it elsewhere', async (t) => {
  const gitDir = mkdtempSync(join(tmpdir(), 'vp-ref-'))
  t.after(() => rmSync(gitDir, { recursive: true, force: true }))
  execFileSync('git', ['init', '--quiet', '--bare', gitDir])
  const git = gitRunner('git')
  const tree = await gitText(git, ['mktree'], { gitDir, input: '' })
  const commit = (message: string) => commitTree(git, gitDir, { tree, parents: [], message, author: { name: 'A', email: 'a@example.org' }, epochMs: 0 })
  const [one, other] = [await commit('one\n'), await commit('other\n')]
  const ref = 'refs/vp/base/r-1'
  await Promise.all(Array.from({ length: 6 }, () => moveRef({ git, clock }, gitDir, ref, one, null)))
  await assert.rejects(moveRef({ git, clock }, gitDir, ref, other, null), { code: 'workspace.git' })
  assert.equal(await readRef(git, gitDir, ref), one)
})
