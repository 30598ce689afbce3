/** git.commit and what its message holds: a secret never gets into history, and nobody is shown it again. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openRealKit } from '../../test/real-kit.ts'
import { scopesOf } from '../policy/scopes.ts'
import { gitCommit } from './git.ts'
import { invoke } from './invoke.ts'
import type { Caller } from './operation.ts'

const TOKEN = `ghp_${'aZ3kQ9xW7bR2'.repeat(3)}`
const HUMAN: Caller = { actor: 'human', surface: 'cli', scopes: scopesOf('human') }
const PROGRAM: Caller = { actor: 'ci', surface: 'cli', scopes: scopesOf('ci') }

test('a secret in the message of a commit: a person is refused, a program is masked and told', async (t) => {
  const real = openRealKit(t, { 'a.txt': 'one\n' })
  const history = () => execFileSync('git', ['-C', real.tree.root, 'log', '--format=%B'], { encoding: 'utf8' })
  const commit = (message: string, caller: Caller) => {
    writeFileSync(join(real.tree.root, 'a.txt'), message)
    return invoke(real.kit, gitCommit, { message, paths: ['a.txt'] }, caller, real.tree)
  }
  const before = history()
  const refused = await commit(`use ${TOKEN}`, HUMAN)
  assert.ok(!refused.ok)
  assert.deepEqual([refused.error.code, refused.error.details.rule], ['policy.denied', 'secrets/message'])
  assert.equal(history(), before)
  const masked = await commit(`use ${TOKEN}`, PROGRAM)
  assert.ok(masked.ok, JSON.stringify(masked))
  const { subject, warnings } = masked.result as { subject: string; warnings: string[] }
  assert.deepEqual([subject, warnings.length], ['use [REDACTED:GITHUB_TOKEN]', 1])
  assert.match(history(), /use \[REDACTED:GITHUB_TOKEN\]/)
  assert.equal(JSON.stringify([refused, masked, history()]).includes(TOKEN), false, 'nobody is shown it')
  const plain = await commit('fix: plain', HUMAN)
  assert.ok(plain.ok)
  assert.deepEqual((plain.result as { warnings: string[] }).warnings, [])
})
