/**
 * Tests that ask git: in a task they see what a clone of depth one holds, read-only, with nothing of the person's
 * configuration, and so does a replay. Others see no git directory at all.
 */
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, vp, vpJson } from '../e2e/kit.ts'

const ASK = `import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { add } from '../src/add.js'
const git = (...args) => execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
test('adds', () => assert.equal(add(2, 3), 5))
test('asks git', () => {
  assert.match(git('log', '--format=%s'), /^(fix: add|start)$/)
  assert.match(git('describe', '--always'), /^[0-9a-f]{7}/)
  assert.match(git('ls-files'), /^src\\/add\\.js$/m)
  assert.match(git('status', '--porcelain'), /^(M src\\/add\\.js)?$/)
})
test('of the person there is nothing, and nothing can be written', () => {
  assert.throws(() => git('config', 'vp.planted'))
  assert.throws(() => git('commit', '-qam', 'x'))
  assert.throws(() => git('tag', 'mine'))
  assert.throws(() => writeFileSync('.git/config', '[core]'))
  assert.ok(!existsSync('.git/hooks'))
})
`
const FILES = {
  'package.json': `${JSON.stringify({ name: 'asks', type: 'module', scripts: { test: 'git --version && node --test' } })}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'test/add.test.js': ASK,
}

for (const backend of ['bwrap', 'box', 'landlock'])
  test(`tests that ask git are answered, ${backend}`, async (t) => {
    const server = await startScriptedServer((request) => {
      const told = request.messages.filter((message) => message.role === 'tool').length
      return [
        call('edit', { path: 'src/add.js', old: 'a - b', new: 'a + b' }),
        call('test', {}),
        call('submit', { title: 'fix: add', summary: 'It subtracted.' }),
      ][told] as ScriptedAnswer
    })
    t.after(() => void server.close())
    const place = makePlace(t, FILES, server, { VP_SANDBOX: backend })
    appendFileSync(join(place.repository, '.git', 'config'), '[vp]\n\tplanted = yes\n[alias]\n\tdescribe = !touch /tmp/vp-planted\n')
    const done = await vp(place, ['do', 'fix the failing test', '--yes'])
    assert.equal(done.code, 0, `${done.stdout}${done.stderr}\n${JSON.stringify(server.requests.at(-1)?.messages.at(-1))}`)
    assert.equal(server.requests.length, 3)
    assert.equal(git(place, 'log', '-2', '--format=%s').split('\n')[1], 'fix: add')
    const replayed = (await vpJson(place, ['replay'])).doc
    assert.equal(replayed.result?.['equal'], true, JSON.stringify(replayed))
  })
