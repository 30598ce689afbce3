/** Questions on a pseudo-terminal: each waits for its answer, none is made of what was no letter, and the process ends as it should. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { makePlace, vp, VP, type Place } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'PRD.md': '# Cart\n\n## Tasks\n\n1. Make add add (lane: Code-Impl; complexity: simple; files: add.js)\n',
}
const CTRL_C = '\x03'
const CTRL_D = '\x04'

const keys: [title: string, key: string, afterMs: number, code: number, says: RegExp][] = [
  ['Ctrl-D at once', CTRL_D, 50, 5, /approval\.needed: not approved: nobody answered/],
  ['Ctrl-D after a while', CTRL_D, 1200, 5, /approval\.needed: not approved: nobody answered/],
  ['Ctrl-C at once', CTRL_C, 50, 130, /cancelled: stopped at the question/],
  ['Ctrl-C after a while', CTRL_C, 1200, 130, /cancelled: stopped at the question/],
  ['n', 'n\n', 1200, 4, /approval\.denied: not approved/],
]
test('what ends the approve prompt without a yes', { skip: !existsSync('/usr/bin/script') && 'no script(1)' }, async (t) => {
  const server = await startScriptedServer(() => ({ text: 'no' }))
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server)
  for (const args of [['new', '--name', 'cart'], ['plan', '--from-prd', 'PRD.md'], ['estimate']]) assert.equal((await vp(place, args)).code, 0)
  for (const [title, key, afterMs, code, says] of keys)
    await t.test(title, async () => {
      const { ended, said } = await atTerminal(place, 'approve --budget-usd 1', 'y/n [n]', key, afterMs)
      assert.equal(ended, code, said)
      assert.match(said, says)
      assert.doesNotMatch(said, /unsettled/)
    })
})

test(
  'vp do: a key of the environment is offered, and the question waits for its answer',
  { skip: !existsSync('/usr/bin/script') && 'no script(1)' },
  async (t) => {
    const place = makePlace(t, FILES, undefined, { OPENAI_API_KEY: 'sk-test-0123456789' })
    const { ended, said } = await atTerminal(place, "do 'fix add'", 'then Enter [l]', 'd\n', 2500)
    assert.equal(ended, 5, said)
    assert.match(said, /api\.openai\.com/)
    assert.doesNotMatch(said, /unsettled/)
  },
)

test('a file is shown on a terminal without what would steer it', { skip: !existsSync('/usr/bin/script') && 'no script(1)' }, async (t) => {
  const text = 'a\x1b[31mred\x1b]0;title\x07\tb\n'
  const place = makePlace(t, { 'odd.txt': text })
  assert.equal((await atTerminal(place, 'fs read odd.txt', 'never asked', '', 0)).said, 'a[31mred]0;title\tb\r\n')
  assert.equal((await vp(place, ['fs', 'read', 'odd.txt'])).stdout, text)
})

/** Runs vp on a terminal of its own; `key` is typed `afterMs` after `prompt` is there. */
async function atTerminal(place: Place, command: string, prompt: string, key: string, afterMs: number): Promise<{ ended: number | null; said: string }> {
  const child = spawn('script', ['-qefc', `'${VP}' ${command}`, '/dev/null'], {
    cwd: place.repository,
    env: { ...place.env, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let said = ''
  let typed = false
  child.stdout.on('data', (part: Buffer) => {
    said += part.toString('utf8')
    if (typed || !said.includes(prompt)) return
    typed = true
    setTimeout(() => child.stdin.write(key), afterMs)
  })
  const ended = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { ended, said }
}
