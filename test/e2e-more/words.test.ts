/** Words of the command line: what `--` guards, what is one too many, and hints that can be typed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { git, makePlace, VP, vp, vpJson } from '../e2e/kit.ts'

const FILES = { 'src/-dash': 'a dash\n', '-dash': 'a --foo dash\n', 'ünï/a b.txt': 'words --foo\n' }

test('behind -- every word is a word', async (t) => {
  const place = makePlace(t, FILES)
  assert.match((await vp(place, ['search', '--', '--foo'])).stdout, /--foo/)
  assert.equal((await vp(place, ['fs', 'read', '--', '-dash'])).stdout, 'a --foo dash\n')
  assert.equal((await vpJson(place, ['run', 'exec', '--', 'git', 'status', '--short'])).code, 0)
})

const many: readonly (readonly string[])[] = [
  ['status', 'a', 'b'],
  ['logs', 'a', 'b'],
  ['doctor', 'x'],
  ['estimate', 'x'],
  ['fs', 'read', 'src/-dash', 'b'],
  ['complete', 'a', 'b'],
  ['git', 'push', 'a', 'b', 'c'],
]
test('a word too many is refused, and nothing is done without it', async (t) => {
  const place = makePlace(t, FILES)
  for (const args of many) {
    const { code, doc } = await vpJson(place, args)
    assert.deepEqual([code, doc.error?.code, doc.error?.message.endsWith('is one more')], [2, 'usage.flag', true], args.join(' '))
  }
})

const numbers: readonly (readonly [args: readonly string[], says: string])[] = [
  [['logs', '--tail', '0'], '--tail takes a whole number of at least 1, not "0"'],
  [['logs', '--tail', '-1'], '--tail takes a whole number of at least 1, not "-1"'],
  [['logs', '--tail=-1'], '--tail takes a whole number of at least 1, not "-1"'],
  [['logs', '--tail', 'ten'], '--tail takes a whole number of at least 1, not "ten"'],
  [['search', 'x', '--max', '0'], '--max takes a whole number from 1 to 2000, not "0"'],
  [['search', 'x', '--max', '-1'], '--max takes a whole number from 1 to 2000, not "-1"'],
  [['search', 'x', '--max', '2.5'], '--max takes a whole number from 1 to 2000, not "2.5"'],
  [['do', 'x', '--budget-usd', '-3'], '--budget-usd takes a number of at least 0, not "-3"'],
  [['do', 'x', '--budget-usd=-1'], '--budget-usd takes a number of at least 0, not "-1"'],
  [['approve', '--budget-tokens', '1.5'], '--budget-tokens takes a whole number of at least 0, not "1.5"'],
  [['simulate', '--rehearsal', '0.5'], '--rehearsal takes a number from 0.001 to 0.2, not "0.5"'],
  [['replay', 'x', '--from', '-.5'], '--from takes a whole number from 1 to 10000, not "-.5"'],
  [['logs', '--tail'], '--tail takes a value, and none is given'],
  [['logs', '--task', '--follow'], '--task takes a value, and none is given'],
  [['status', '--follow=x'], '--follow takes no value'],
]
test('a number out of its range is refused in the same words everywhere, with the help of its command', async (t) => {
  const place = makePlace(t, FILES)
  for (const [args, says] of numbers) {
    const { code, doc } = await vpJson(place, args)
    assert.deepEqual([code, doc.error?.code, doc.error?.message, doc.error?.next], [2, 'usage.flag', says, [['vp', 'help', args[0]]]], args.join(' '))
  }
})

test('a circle of tasks is shown with each of its lines, by the path as it was typed', async (t) => {
  const place = makePlace(t, { 'docs/PRD.md': '# Cart\n\n## Tasks\n\n1. A (after: 2)\n2. B (after: 1)\n' })
  assert.equal((await vp(place, ['new', '--name', 'cart'])).code, 0)
  const { code, stderr } = await vp(place, ['plan', '--from-prd', 'docs/PRD.md'])
  assert.deepEqual(
    [code, stderr.split('\n').slice(0, 2)],
    [2, ['error  plan.cycle: T1 waits for T2, T2 waits for T1', '       where: docs/PRD.md:5, docs/PRD.md:6']],
  )
})

test('in a subfolder a path is of that folder, and one of the root is named from there', async (t) => {
  const place = makePlace(t, FILES)
  const cwd = join(place.repository, 'ünï')
  assert.equal((await vp(place, ['fs', 'read', 'a b.txt'], { cwd })).stdout, 'words --foo\n')
  assert.equal((await vp(place, ['fs', 'read', '../src/-dash'], { cwd })).stdout, 'a dash\n')
  const { code, doc } = await vpJson(place, ['fs', 'read', 'ünï/a b.txt'], { cwd })
  assert.deepEqual([code, doc.error?.next], [2, [['vp', 'fs', 'read', 'a b.txt']]])
  writeFileSync(join(place.repository, 'big.bin'), Buffer.from([0, 1, 2]))
  const binary = await vp(place, ['fs', 'read', 'big.bin'])
  assert.deepEqual([binary.code, /big\.bin is no text/.test(binary.stderr)], [2, true])
})

test('what refuses says why, in words that hold', async (t) => {
  const place = makePlace(t, FILES)
  assert.match((await vpJson(place, ['search', '--regex', 'add('])).doc.error?.message ?? '', /regex parse error: unclosed group$/)
  assert.match((await vpJson(place, ['start', '--kind', 'bogus'])).doc.error?.message ?? '', /one of baseline, hotfix/)
  const denied = (await vpJson(place, ['policy', 'explain', '--', 'git', 'push', '--force'])).doc.error?.next ?? []
  assert.ok(!denied.some((argv) => argv.join(' ').startsWith('vp policy explain')), JSON.stringify(denied))
})

test('before there is a run, each screen names the step that the project is at', async (t) => {
  const server = await startScriptedServer(() => ({ text: 'no' }))
  t.after(() => void server.close())
  const place = makePlace(t, { ...FILES, 'spec/ideas.md': '## Tasks\n1. Dash (lane: Code-Impl)\n- [x] Before\n' }, server)
  const next = async (...args: string[]) => (await vpJson(place, args)).doc.error?.next[0]?.join(' ')
  assert.match((await vp(place, ['new', '--name', 'dash'])).stdout, /no test command found/)
  assert.equal(await next('status'), 'vp plan --from-prd FILE')
  assert.match((await vp(place, ['plan', '--from-prd', 'spec/ideas.md'])).stderr, /^note {2}1 task is ticked as done and left out$/m)
  assert.equal(await next('status'), 'vp estimate')
  assert.equal((await vp(place, ['estimate'])).code, 0)
  for (const verb of ['status', 'logs', 'validate']) assert.equal(await next(verb), 'vp approve --budget-usd N', verb)
})

test('how a repository begins is said for the folder that it is', async (t) => {
  const place = makePlace(t, FILES)
  const next = async (cwd: string) => (await vpJson(place, ['new', '--name', 'x'], { cwd })).doc.error
  const empty = join(place.root, 'empty')
  mkdirSync(empty)
  assert.match(JSON.stringify((await next(empty))?.next), /--allow-empty/)
  git(place, 'clone', '-q', '--bare', '.', '../bare.git')
  const bare = await next(join(place.root, 'bare.git'))
  assert.match(bare?.message ?? '', /^this is a bare git repository/)
  const small = (await vpJson(place, ['do', 'x'], { cwd: join(place.root, 'bare.git') })).doc.error
  assert.deepEqual([small?.message, small?.next], [bare?.message, bare?.next], 'vp do says the same')
  assert.deepEqual((await next('/'))?.next[0]?.[0], 'cd')
})

test('the way out of a refusal is one for the call at hand', async (t) => {
  const place = makePlace(t, FILES)
  const next = async (...args: string[]) => {
    const { error } = (await vpJson(place, args)).doc
    return [error?.next[0]?.join(' '), error?.hint]
  }
  assert.deepEqual(await next('run', 'exec', '--', 'rm', '-rf', 'a b'), ['vp policy explain -- rm -rf a b', undefined])
  assert.deepEqual(await next('policy', 'explain', '--', 'curl', 'http://x/'), [undefined, 'do it yourself, outside of vp: no lane and no flag allows it'])
  const secret = `ghp_${'aB3dE5gH7jK9'.repeat(3)}`
  for (const flag of ['-e', `--eval=${secret}`]) {
    const explained = await vp(place, ['policy', 'explain', '--json', '--', 'node', flag, secret])
    assert.equal(explained.code, 5)
    assert.ok(!`${explained.stdout}${explained.stderr}`.includes(secret), explained.stdout)
  }
  assert.deepEqual(await next('policy', 'explain', '--', 'tox'), ['vp policy check', 'allow it in .vp/lanes/code-impl.yaml'])
  const asked = (await vpJson(place, ['run', 'exec', '--', 'node', '-e', '1'])).doc.error?.approval ?? ''
  const approved = await vp(place, ['approve', asked, '--for', 'call'])
  assert.deepEqual([approved.code, approved.stderr.includes('vp resume')], [0, false])
  const config = join(place.root, 'config.json')
  writeFileSync(config, '{')
  const broken = (await vpJson(place, ['doctor'], { env: { VP_CONFIG: config } })).doc
  assert.match(JSON.stringify(broken), /correct that file, or move it away/)
})

test('what is read and written by hand is named for what it is', async (t) => {
  const place = makePlace(t, FILES)
  const errorOf = async (...args: string[]) => {
    const { code, doc } = await vpJson(place, args)
    return [code, doc.error?.code, doc.error?.message]
  }
  assert.deepEqual(await errorOf('fs', 'read', ''), [2, 'usage.flag', 'vp fs read takes a path'])
  assert.deepEqual(await errorOf('fs', 'read', 'src'), [2, 'usage.params', 'src is a directory'])
  assert.deepEqual(await errorOf('fs', 'read', '.'), [2, 'usage.params', '. is a directory'])
  writeFileSync(join(place.repository, 'package.diff'), 'no diff\n')
  const [code, , message] = await errorOf('fs', 'patch', join(place.repository, 'package.diff'))
  assert.deepEqual([code, message?.toString().includes('Send')], [2, false])
})

test('a diff of a Latin-1 file is read as git wrote it, from a file and from stdin', async (t) => {
  const place = makePlace(t, FILES)
  const file = join(place.repository, 'old.txt')
  writeFileSync(file, Buffer.from('caf\u00e9 one\ntwo\nthree\n', 'latin1'))
  const diff = (from: string, to: string): Buffer =>
    Buffer.from(`--- a/old.txt\n+++ b/old.txt\n@@ -1,3 +1,3 @@\n caf\u00e9 one\n-${from}\n+${to}\n three\n`, 'latin1')
  writeFileSync(join(place.root, 'l1.diff'), diff('two', 'd\u00fco'))
  assert.equal((await vpJson(place, ['fs', 'patch', join(place.root, 'l1.diff'), '--apply'])).code, 0)
  assert.deepEqual(readFileSync(file), Buffer.from('caf\u00e9 one\nd\u00fco\nthree\n', 'latin1'))
  assert.equal((await vpJson(place, ['fs', 'patch', '-', '--apply'], { stdin: diff('d\u00fco', 'z\u00ebro') })).code, 0)
  assert.deepEqual(readFileSync(file), Buffer.from('caf\u00e9 one\nz\u00ebro\nthree\n', 'latin1'))
})

test('what is not built yet is said to be, and is no word that was mistyped', async (t) => {
  const place = makePlace(t, FILES)
  for (const args of [['--serve', '127.0.0.1:0'], ['--serve=127.0.0.1:0'], ['serve', '--plms', '1'], ['mcp'], ['completion', 'bash']]) {
    const { code, doc } = await vpJson(place, args)
    assert.deepEqual([code, doc.error?.code], [2, 'usage.unknown_command'], args.join(' '))
    assert.match(doc.error?.message ?? '', /^vp (serve|mcp|completion) is not built yet$/)
  }
})

test('every variable that a person may set is in vp help env', async (t) => {
  const { stdout } = await vp(makePlace(t, FILES), ['help', 'env'])
  for (const name of ['VP_SANDBOX', 'VP_DEMO_DIR', 'VP_STATE_DIR', 'VP_MODEL']) assert.match(stdout, new RegExp(`^${name} `, 'm'))
})

test('a model that stands in for one is no provider of a person’s', async (t) => {
  const place = makePlace(t, FILES)
  const { code, doc } = await vpJson(place, ['do', 'x', '--test', 'true'], { env: { VP_MODEL: 'mock:x', VP_MODEL_BASE_URL: 'http://127.0.0.1:1/v1' } })
  assert.deepEqual([code, doc.error?.code, JSON.stringify(doc.error).includes('mock,')], [2, 'usage.flag', false])
})

test('other requirements are another version of them, the same again are not', async (t) => {
  const place = makePlace(t, { 'a.md': '# A\n\n## Tasks\n\n1. A\n', 'b.md': '# B\n\n## Tasks\n\n1. B\n' })
  assert.equal((await vp(place, ['new', '--name', 'x'])).code, 0)
  const versions = []
  for (const file of ['a.md', 'a.md', 'b.md', 'a.md']) versions.push(/^PRD v(\d)/.exec((await vp(place, ['plan', '--from-prd', file])).stdout)?.[1])
  assert.deepEqual(versions, ['1', '1', '2', '1'])
})

test('what vp wrote about its runs is not found by a search, with any glob', async (t) => {
  const place = makePlace(t, { ...FILES, '.vp/runs/r-1/replay_passport.json': '{"needle":1}\n', '.vp/prd.md': 'a needle\n', 'a.json': '{"needle":2}\n' })
  for (const [args, found] of [
    [
      ['search', 'needle'],
      ['.vp/prd.md', 'a.json'],
    ],
    [['search', 'needle', '--glob', '**/*.json'], ['a.json']],
  ] as const) {
    const { doc } = await vpJson(place, args)
    assert.deepEqual(
      ((doc.result?.['matches'] ?? []) as unknown as { file: string }[]).map(({ file }) => file),
      found,
    )
  }
})

test('a stdout that is full is no disk of the ledger', { skip: existsSync('/dev/full') ? false : 'there is no /dev/full here' }, (t) => {
  const place = makePlace(t, FILES)
  const file = Object.keys(FILES)[0] ?? ''
  for (const args of [['doctor'], ['doctor', '--json'], ['fs', 'read', file], ['fs', 'read', file, '--json']]) {
    const full = openSync('/dev/full', 'w')
    const { status, stderr } = spawnSync(VP, args, { cwd: place.repository, env: place.env, stdio: ['ignore', full, 'pipe'], encoding: 'utf8' })
    closeSync(full)
    assert.deepEqual([status, stderr.split('\n')[0]], [1, 'error  internal: stdout cannot be written: ENOSPC'], args.join(' '))
  }
})

test('what an error or a help names is in the package', () => {
  const { files } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { files: string[] }
  for (const name of ['docs/*.md', 'docs/schema', 'SECURITY.md']) assert.ok(files.includes(name), name)
})
